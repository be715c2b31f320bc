//! Server-sent events, as far as the server sends them: each has an id and one line of
//! data.

use std::io::{self, BufRead, ErrorKind, Read};

/// How long a line may be: an entry about ten thousand stations is shorter.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A stream that is read as it comes.
#[derive(Debug)]
pub(super) struct Stream<R> {
    lines: R,
}

impl<R: BufRead> Stream<R> {
    pub(super) fn new(lines: R) -> Stream<R> {
        Stream { lines }
    }

    /// The data of the next event; `None` if the stream has ended. Comments are skipped:
    /// they only show that somebody is there. An event whose end has not come is none.
    pub(super) fn next(&mut self) -> io::Result<Option<String>> {
        let mut data = String::new();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            if line.is_empty() {
                match data.is_empty() {
                    true => continue,
                    false => return Ok(Some(data)),
                }
            }
            if let Some(more) = line.strip_prefix("data:") {
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(more.strip_prefix(' ').unwrap_or(more));
            }
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        self.lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned())),
            None if (line.len() as u64) < LINE_BYTES_MAX => Ok(None),
            None => Err(io::Error::new(ErrorKind::InvalidData, "an event is longer than any of ours")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_or_not_there() {
        let text = ": here\n\nid: 1\nevent: raised\ndata: {\"a\": 1}\n\n:\r\n\r\nid:2\r\ndata:x\r\ndata: y\r\n\r\nid: 3\ndata: half\n";
        let mut stream = Stream::new(text.as_bytes());
        assert_eq!(stream.next().unwrap().as_deref(), Some("{\"a\": 1}"));
        assert_eq!(stream.next().unwrap().as_deref(), Some("x\ny"));
        assert_eq!(stream.next().unwrap(), None);
        let endless = io::BufReader::new(io::repeat(b'x').take(LINE_BYTES_MAX + 1));
        assert_eq!(Stream::new(endless).next().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

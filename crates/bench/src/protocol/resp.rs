//! The one command of Redis that stores a report the cheapest way: `SET` of
//! the station's key. It keeps neither the time of the contact nor a table,
//! so the comparison is in Redis' favour.

/// `SET key value` as a RESP array of bulk strings.
pub(crate) fn set(key: &str, value: &str) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(set("1234", "0 1"), b"*3\r\n$3\r\nSET\r\n$4\r\n1234\r\n$3\r\n0 1\r\n");
    }
}

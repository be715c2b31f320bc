//! The packets of MQTT 3.1.1 that a reporting station needs; the sections are
//! those of the OASIS standard of 29 October 2014.

/// The server accepts, and has no session of ours (3.2).
pub(crate) const CONNACK_ACCEPTED: &[u8] = &[0x20, 2, 0, 0];

/// The first two bytes of the answer to a PUBLISH with QoS 1 (3.4); the packet
/// identifier follows.
pub(super) const PUBACK: [u8; 2] = [0x40, 2];

/// PUBLISH with QoS 1, neither a duplicate nor retained (3.3).
const PUBLISH_QOS_1: u8 = 0x32;

/// CONNECT of a client that keeps no session and sends no pings (3.1).
pub(crate) fn connect(client: &str) -> Vec<u8> {
    const CLEAN_SESSION: u8 = 0x02;
    const LEVEL: u8 = 4;
    let mut body = string("MQTT");
    body.extend([LEVEL, CLEAN_SESSION, 0, 0]);
    body.extend(string(client));
    packet(0x10, &body)
}

/// PUBLISH with QoS 1.
pub(crate) fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    body.extend(packet_id.to_be_bytes());
    body.extend_from_slice(payload);
    packet(PUBLISH_QOS_1, &body)
}

/// A fixed header with the remaining length (2.2) before `body`.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut remaining = body.len();
    loop {
        let low = u8::try_from(remaining % 128).expect("less than 128");
        remaining /= 128;
        bytes.push(if remaining > 0 { low | 128 } else { low });
        if remaining == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A string with its length before it (1.5.3).
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("names are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packets_are_those_of_the_standard() {
        assert_eq!(connect("a"), b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a");
        // The example of 3.3.2.3: topic a/b, packet identifier 10.
        assert_eq!(publish("a/b", 10, b""), [0x32, 7, 0, 3, 0x61, 0x2f, 0x62, 0, 10]);
        assert_eq!(publish("s/123", 258, b"123 0 1"), b"\x32\x10\x00\x05s/123\x01\x02123 0 1");
    }

    #[test]
    fn the_remaining_length_grows_as_table_2_4_says() {
        for (length, digits) in
            [(127, &[0x7f][..]), (128, &[0x80, 1]), (16_383, &[0xff, 0x7f]), (16_384, &[0x80, 0x80, 1])]
        {
            let packet = packet(0x30, &vec![0; length]);
            assert_eq!(&packet[1..packet.len() - length], digits);
        }
    }
}

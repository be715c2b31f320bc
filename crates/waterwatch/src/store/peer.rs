//! A peer's address as it is stored: 4 bytes of IPv4 or 16 of IPv6, none if
//! it is not known.

/// What IPv4 addresses begin with as IPv6 ones (RFC 4291, 2.5.5.2).
pub(super) const IPV4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The bytes of an address that [`Origin`](waterwatch_core::Origin) names.
#[must_use]
pub fn bytes(peer: &[u8; 16]) -> &[u8] {
    if *peer == [0; 16] { &[] } else { peer.strip_prefix(&IPV4_MAPPED).unwrap_or(peer) }
}

/// The same back; `None` if the bytes are no address.
#[must_use]
pub fn of(bytes: &[u8]) -> Option<[u8; 16]> {
    let mut peer = [0; 16];
    match bytes.len() {
        0 => {}
        4 => {
            peer[..12].copy_from_slice(&IPV4_MAPPED);
            peer[12..].copy_from_slice(bytes);
        }
        16 => peer.copy_from_slice(bytes),
        _ => return None,
    }
    Some(peer)
}

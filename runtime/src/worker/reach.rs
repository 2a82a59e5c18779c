//! Reach: which addresses a fetch or a download may contact.
//!
//! Comes in: a host as a URL names it, and the addresses that its name leads to. Goes out: nothing, or why not. Addresses of
//! this machine, of its site and of its neighbourhood are refused unless the site's configuration allows the host by name:
//! the URL is often written by somebody else, and services inside a site trust whoever can reach them. Judged are the
//! addresses that are then connected to, so a name that changes between the question and the connection changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which hosts may have private addresses.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    allow_private: Vec<String>,
}

impl Reach {
    pub(crate) fn new(allow_private: Vec<String>) -> Self {
        Self { allow_private }
    }

    /// Whether all these addresses of a host may be contacted.
    ///
    /// # Errors
    /// Which address may not, and what to write where it should.
    pub(crate) fn check(&self, host: &str, addresses: &[SocketAddr]) -> Result<(), String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if self.allow_private.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        match addresses.iter().find(|address| !is_public(address.ip())) {
            None => Ok(()),
            Some(address) => Err(format!(
                "{host} leads to {}, an address of this machine or site; a site that wants that writes \
                 `allow_private = [\"{host}\"]` in [downloads]",
                address.ip()
            )),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        // This network, carrier-grade NAT, protocol assignments, benchmarking, reserved and broadcast.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !special
}

/// Global unicast alone, and not what stands for another address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let [[w, x], [y, z]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        // Mapped IPv4, NAT64, 6to4.
        (0, 0) => [c, d, e] == [0; 3] && f == 0xffff && embedded(g, h),
        (0x64, 0xff9b) => [c, d, e, f] == [0; 4] && embedded(g, h),
        (0x2002, _) => embedded(b, c),
        // Teredo and protocol assignments, documentation.
        (0x2001, 0..0x200 | 0xdb8) | (0x3fff, 0..0x1000) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_disguise() {
        for text in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1",
            "2a00:1450::1",
            "2001:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_host_is_allowed_by_its_name_and_refused_for_any_of_its_addresses() {
        let addresses = ["8.8.8.8:443".parse().unwrap(), "10.0.0.1:443".parse().unwrap()];
        let reach = Reach::new(vec!["koji.lab".to_owned(), "::1".to_owned()]);
        assert_eq!(reach.check("KOJI.lab", &addresses), Ok(()));
        assert_eq!(reach.check("[::1]", &["[::1]:80".parse().unwrap()]), Ok(()));
        assert_eq!(reach.check("public.example", &addresses[..1]), Ok(()));
        let refused = reach.check("evil.koji.lab", &addresses).unwrap_err();
        assert!(refused.contains("10.0.0.1") && refused.contains("allow_private = [\"evil.koji.lab\"]"));
    }
}

//! Which addresses a webhook may reach: global unicast ones, and what the operator allows besides.
//!
//! The tables are those of the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890;
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>, `…/iana-ipv6-special-registry`):
//! all that is not globally reachable. Of a block with globally reachable parts the whole is
//! refused: no receiver lives there. Multicast comes from RFC 5771 and RFC 4291; global unicast
//! IPv6 is what IANA assigns from, `2000::/3`.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(head: [u16; 4], bits: u8) -> Ipv6Net {
    let [a, b, c, d] = head;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), bits)
}

/// IPv4 that no receiver on the internet has.
#[rustfmt::skip]
const SPECIAL_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // this network (RFC 791)
    v4(10, 0, 0, 0, 8),       // private use (RFC 1918)
    v4(100, 64, 0, 0, 10),    // shared by the customers of a provider (RFC 6598)
    v4(127, 0, 0, 0, 8),      // loopback (RFC 1122)
    v4(169, 254, 0, 0, 16),   // link local, and the metadata of clouds (RFC 3927)
    v4(172, 16, 0, 0, 12),    // private use (RFC 1918)
    v4(192, 0, 0, 0, 24),     // protocol assignments (RFC 6890)
    v4(192, 0, 2, 0, 24),     // documentation (RFC 5737)
    v4(192, 88, 99, 0, 24),   // relays of 6to4, deprecated (RFC 7526)
    v4(192, 168, 0, 0, 16),   // private use (RFC 1918)
    v4(198, 18, 0, 0, 15),    // benchmarks (RFC 2544)
    v4(198, 51, 100, 0, 24),  // documentation (RFC 5737)
    v4(203, 0, 113, 0, 24),   // documentation (RFC 5737)
    v4(224, 0, 0, 0, 4),      // multicast (RFC 5771)
    v4(240, 0, 0, 0, 4),      // reserved, and the broadcast to all (RFC 1112, RFC 8190)
];

/// What IANA assigns global unicast addresses from (RFC 4291); loopback, link local, unique local,
/// site local, multicast and the discard-only block lie outside of it.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// Inside of that, what no receiver on the internet has.
#[rustfmt::skip]
const SPECIAL_V6: &[Ipv6Net] = &[
    v6([0x2001, 0, 0, 0], 23),       // protocol assignments, Teredo among them (RFC 2928, RFC 4380)
    v6([0x2001, 0x0db8, 0, 0], 32),  // documentation (RFC 3849)
    v6([0x2002, 0, 0, 0], 16),       // 6to4 with its embedded IPv4 (RFC 3056)
    v6([0x3fff, 0, 0, 0], 20),       // documentation (RFC 9637)
];

/// IPv4 addresses behind a translator (RFC 6052): each is checked as the address that it embeds.
const TRANSLATED: Ipv6Net = v6([0x0064, 0xff9b, 0, 0], 96);

/// Whether a webhook, or an engine of a user's, may reach this address, which must be canonical (see
/// [`IpAddr::to_canonical`]).
pub(crate) fn may_reach(address: IpAddr, allowed: &[IpNet]) -> bool {
    let is_global = match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    };
    is_global || allowed.iter().any(|network| network.contains(&address))
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|network| network.contains(&address))
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    if TRANSLATED.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return is_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(text: &str, allowed: &[IpNet]) -> bool {
        let address: IpAddr = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        may_reach(address.to_canonical(), allowed)
    }

    /// The first and the last address of each block, and their neighbours outside.
    #[test]
    fn blocks_end_where_the_registry_ends_them() {
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2000::")),
            (
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2000:ffff::1"),
                Some("2001:200::"),
            ),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:db7:ffff::"),
                Some("2001:db9::"),
            ),
            (
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:ffff::"),
                Some("2003::"),
            ),
            (
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("3ffe:ffff::"),
                Some("3fff:1000::"),
            ),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::"), None),
        ] {
            assert!(!reaches(first, &[]) && !reaches(last, &[]), "{first} to {last}");
            for outside in [before, after].into_iter().flatten() {
                assert!(reaches(outside, &[]), "{outside} beside {first} to {last}");
            }
        }
    }

    #[test]
    fn well_known_addresses_are_told_apart() {
        for (text, reachable) in [
            ("1.1.1.1", true),
            ("93.184.215.14", true),
            ("2606:4700:4700::1111", true),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("fd00:ec2::254", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("100::1", false),
            ("5f00::1", false),
            // IPv4 inside of IPv6: mapped, compatible, translated, 6to4, Teredo, ISATAP-like local
            // prefixes.
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("::127.0.0.1", false),
            ("::1.1.1.1", false),
            ("64:ff9b::127.0.0.1", false),
            ("64:ff9b::169.254.169.254", false),
            ("64:ff9b::1.1.1.1", true),
            ("64:ff9b:1::1.1.1.1", false),
            ("2002:7f00:1::1", false),
            ("2002:a00:1::1", false),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", false),
        ] {
            assert_eq!(reaches(text, &[]), reachable, "{text}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_reachable_and_no_more() {
        let allowed: Vec<IpNet> =
            ["10.1.0.0/16", "fd00::/64"].map(|text| text.parse().expect(text)).into();
        for (text, reachable) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fd00::5", true),
            ("fd00:0:0:1::5", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(reaches(text, &allowed), reachable, "{text}");
        }
    }
}

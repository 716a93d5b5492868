//! Which proxies are believed when they say whom they serve. What must not live here: what the client's address is for.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// Networks of proxies: an address is a network of itself alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies(Vec<(IpAddr, u32)>);

impl Default for Proxies {
    /// This machine.
    fn default() -> Self {
        Self(vec![([127, 0, 0, 0].into(), 8), (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128)])
    }
}

impl Proxies {
    /// Reads addresses such as `10.0.0.1` and networks such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// The text that is neither.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, &'t str> {
        texts.into_iter().map(|text| network(text.trim()).ok_or(text)).collect::<Result<_, _>>().map(Self)
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, length)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u32::from(*network).into(), u32::from(address).into(), 32 - length)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same((*network).into(), address.into(), 128 - length),
            _ => false,
        })
    }

    /// The client behind whoever is connected. Each proxy adds at the end of `X-Forwarded-For` whom it saw itself, some on a line
    /// of their own; so the list is read from its end, and only as long as the one who wrote is believed.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        while self.trust(client) {
            let Some(next) = hops.next().and_then(|hop| address(hop.trim())) else { break };
            client = next.to_canonical();
        }
        client
    }
}

/// Whether two addresses are the same but for so many bits at the end.
fn same(one: u128, other: u128, rest: u32) -> bool {
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(bits);
    (length <= bits).then_some((address, length))
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderValue};

    use super::Proxies;

    fn client(proxies: &Proxies, peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_hop_is_believed_as_long_as_who_names_it_is() {
        let own = Proxies::default();
        let two = Proxies::parse(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]).unwrap();
        for (proxies, peer, lines, expected) in [
            (&own, "203.0.113.9", &["198.51.100.7"] as &[_], "203.0.113.9"),
            (&own, "127.0.0.1", &[], "127.0.0.1"),
            (&own, "127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            (&own, "127.9.9.9", &["198.51.100.7"], "198.51.100.7"),
            (&own, "::1", &["198.51.100.7"], "198.51.100.7"),
            (&own, "::ffff:127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client wrote itself stands before what the proxy saw.
            (&own, "127.0.0.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (&own, "127.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            (&own, "127.0.0.1", &["1.1.1.1, 10.0.0.3"], "10.0.0.3"),
            // Through two that are believed, and one that isn't.
            (&two, "10.1.2.3", &["1.1.1.1, 198.51.100.7, 192.0.2.1"], "198.51.100.7"),
            (&two, "10.1.2.3", &["1.1.1.1, 198.51.100.7", "192.0.2.1"], "198.51.100.7"),
            (&two, "10.1.2.3", &["1.1.1.1, 192.0.2.2"], "192.0.2.2"),
            (&two, "127.0.0.1", &["198.51.100.7"], "127.0.0.1"),
            (&two, "2001:db8:ffff::1", &["2001:db9::1"], "2001:db9::1"),
            (&two, "11.0.0.1", &["198.51.100.7"], "11.0.0.1"),
            // All of them are: the first that was named.
            (&two, "10.1.2.3", &["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
            // With a port, in brackets; nothing that can be read is nobody.
            (&own, "127.0.0.1", &["198.51.100.7:1234"], "198.51.100.7"),
            (&own, "127.0.0.1", &["[2001:db8::7]:1234"], "2001:db8::7"),
            (&own, "127.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            (&own, "127.0.0.1", &["1.1.1.1, unknown"], "127.0.0.1"),
            (&own, "127.0.0.1", &["1.1.1.1, "], "127.0.0.1"),
        ] {
            assert_eq!(client(proxies, peer, lines), expected, "{peer} {lines:?}");
        }
        let nobody = Proxies::parse([]).unwrap();
        assert_eq!(client(&nobody, "127.0.0.1", &["198.51.100.7"]), "127.0.0.1");
        let everybody = Proxies::parse(["0.0.0.0/0", "::/0"]).unwrap();
        assert_eq!(client(&everybody, "203.0.113.9", &["2001:db8::7, 198.51.100.7"]), "2001:db8::7");
    }

    #[test]
    fn networks() {
        for good in ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", " 10.0.0.1 ", "10.0.0.1/32"] {
            assert!(Proxies::parse([good]).is_ok(), "{good}");
        }
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "localhost", "10.0.0.1:80"]
        {
            assert_eq!(Proxies::parse(["10.0.0.1", bad]), Err(bad));
        }
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        assert!(Proxies::parse(["10.0.0.1"]).unwrap().trust(one) && !Proxies::parse(["10.0.0.2"]).unwrap().trust(one));
        assert!(Proxies::parse(["10.0.0.9/24"]).unwrap().trust(one), "what stands behind the length doesn't count");
    }
}

//! Whose pages may open sockets: `Origin` against Django's `ALLOWED_HOSTS`, as
//! `channels.security.websocket.AllowedHostsOriginValidator` compares them.

/// The patterns of `ALLOWED_HOSTS`.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Those `patterns`: `*`, a host name, or `.example.org` for a domain and all below it.
    pub fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Self {
        let lower = patterns
            .into_iter()
            .map(|it| it.as_ref().to_ascii_lowercase());
        Self(lower.collect())
    }

    /// Whether a page of `origin` may open sockets. Only its host name counts: neither its scheme nor
    /// its port.
    #[must_use]
    pub fn accept(&self, origin: &str) -> bool {
        if self.0.iter().any(|pattern| pattern == "*") {
            return true;
        }
        let Some(host) = host_name(origin) else {
            return false;
        };
        self.0
            .iter()
            .any(|pattern| match pattern.strip_prefix('.') {
                Some(domain) => {
                    host == domain
                        || host
                            .strip_suffix(domain)
                            .is_some_and(|rest| rest.ends_with('.'))
                }
                None => {
                    host == *pattern
                        || host.trim_matches(['[', ']']) == pattern.trim_matches(['[', ']'])
                }
            })
    }
}

/// The host name of `scheme://host[:port]`, in small letters.
fn host_name(origin: &str) -> Option<String> {
    let (_, authority) = origin.split_once("//")?;
    let authority = authority.split(['/', '?', '#']).next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = if authority.starts_with('[') {
        &authority[..=authority.find(']')?]
    } else {
        authority.split(':').next()?
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::AllowedHosts;

    #[test]
    fn only_the_host_name_of_an_origin_counts() {
        let hosts = AllowedHosts::new(["ok.example.org", ".wild.org", "[::1]", "10.0.0.1"]);
        for good in [
            "http://ok.example.org",
            "https://OK.example.org:8443",
            "https://wild.org",
            "https://a.b.wild.org",
            "http://[::1]:8000",
            "http://10.0.0.1",
            "//ok.example.org",
        ] {
            assert!(hosts.accept(good), "{good}");
        }
        for bad in [
            "",
            "null",
            "ok.example.org",
            "http://",
            "http://evil.test",
            "https://ok.example.org.",
            "https://notwild.org",
            "https://ok.example.org@evil.test",
            "https://evil.test/ok.example.org",
            "%%%",
            "http://[::1",
            "https://evil.test#.wild.org",
        ] {
            assert!(!hosts.accept(bad), "{bad}");
        }
    }

    #[test]
    fn a_star_allows_everything() {
        let hosts = AllowedHosts::new(["*"]);
        assert!(hosts.accept("null") && hosts.accept("%%%") && hosts.accept("http://any.test"));
    }

    #[test]
    fn no_pattern_allows_nothing() {
        assert!(!AllowedHosts::default().accept("http://localhost"));
    }
}

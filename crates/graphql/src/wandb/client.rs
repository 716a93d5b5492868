//! Which SDK asks, where that changes an answer. What must not live here: anything that a newer SDK needs.

/// What is known of the client of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// Whether it reads a membership's index from an alias `vN`, as SDKs before 0.25 do: without it they take the source
    /// version's index for the link's, and download another link's files. Nobody else is shown `vN` among the aliases
    /// (rule 28).
    pub index_in_aliases: bool,
}

impl Client {
    /// Reads the `User-Agent` of the SDK's Python half: `W&B Public Client 0.22.3`.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let version = user_agent.strip_prefix("W&B ").and_then(|rest| rest.split_once(" Client ")).map(|(_, version)| version);
        let mut numbers = version.unwrap_or_default().split('.').map(|number| number.parse::<u32>().ok());
        let index_in_aliases =
            matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(0), Some(minor)) if minor < 25);
        Self { index_in_aliases }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_sdks_are_shown_the_index_among_the_aliases() {
        for (user_agent, expected) in [
            ("W&B Public Client 0.19.11", true),
            ("W&B Internal Client 0.22.3", true),
            ("W&B Public Client 0.25.1", false),
            ("W&B Public Client 0.31.0", false),
            ("W&B Public Client 1.2.3", false),
            ("W&B Public Client", false),
            ("wandb-core", false),
            ("", false),
        ] {
            assert_eq!(Client::of(user_agent).index_in_aliases, expected, "{user_agent}");
        }
    }
}

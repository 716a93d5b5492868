//! Which client asks, where that changes an answer. What must not live here: rights.

/// What the SDK's other half calls itself; it carries requests of the first one as well.
const CORE: &str = "wandb-core";

/// What is known of the client of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// Whether it reads a place's index from an alias `vN` of the version, as every SDK does where it lists versions and after
    /// it changed one: without it a link gets the index of its source, and another link's files are downloaded. Nobody else is
    /// shown `vN` among the aliases (rule 28).
    pub sdk: bool,
    /// Whether it does the same with a membership's aliases, as SDKs before 0.25.
    pub before_0_25: bool,
}

impl Client {
    /// Reads the `User-Agent` of the SDK's Python half: `W&B Public Client 0.22.3`.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let version = user_agent.strip_prefix("W&B ").and_then(|rest| rest.split_once(" Client ")).map(|(_, version)| version);
        let mut numbers = version.unwrap_or_default().split('.').map(|number| number.parse::<u32>().ok());
        let before_0_25 = matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(0), Some(minor)) if minor < 25);
        Self { sdk: version.is_some() || user_agent == CORE, before_0_25 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_are_shown_the_index_among_the_aliases() {
        for (user_agent, sdk, before_0_25) in [
            ("W&B Public Client 0.19.11", true, true),
            ("W&B Internal Client 0.22.3", true, true),
            ("W&B Public Client 0.25.1", true, false),
            ("W&B Public Client 0.31.0", true, false),
            ("W&B Public Client 1.2.3", true, false),
            ("wandb-core", true, false),
            ("W&B Public Client", false, false),
            ("curl/8.0", false, false),
            ("", false, false),
        ] {
            assert_eq!(Client::of(user_agent), Client { sdk, before_0_25 }, "{user_agent}");
        }
    }
}

//! Roles, rights and visibility. Who holds which role is a question for the store; what a role may do is
//! answered here.

use std::str::FromStr;

/// A word that is not one of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given} is not a {thing}. Use one of: {allowed}.")]
pub struct UnknownWord {
    given: String,
    thing: &'static str,
    allowed: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $thing:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// Every value, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it is stored.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord {
                        given: crate::text::quoted(word),
                        thing: $thing,
                        allowed: [$($word),*].join(", "),
                    }),
                }
            }
        }
    };
}

words! {
    /// A role in a registry, ascending (rule 17).
    RegistryRole, "registry role" {
        /// Sees everything but content.
        RestrictedViewer = "restricted_viewer",
        /// Also uses and downloads.
        Viewer = "viewer",
        /// Also creates collections, links, sets aliases.
        Member = "member",
        /// Also changes the registry itself and its members.
        Admin = "admin",
    }
}

words! {
    /// A role in an organization, ascending.
    OrganizationRole, "organization role" {
        /// Reads only, in teams too (rule 23).
        Viewer = "viewer",
        /// An ordinary member.
        Member = "member",
        /// Is admin of every registry and every team's project of the organization (rules 14 and 23).
        Admin = "admin",
    }
}

words! {
    /// A role in a team, ascending (rule 23).
    TeamRole, "team role" {
        /// Reads and writes in the team's projects.
        Member = "member",
        /// Also deletes and changes the team's members.
        Admin = "admin",
    }
}

words! {
    /// Who sees a registry without being its member (rule 8).
    Visibility, "visibility" {
        /// Everyone in the organization.
        Organization = "organization",
        /// Nobody.
        Restricted = "restricted",
    }
}

words! {
    /// What gives somebody a role in a registry (rule 14).
    RoleSource, "source of a role" {
        /// The registry is visible to the whole organization, which the user is in.
        OrganizationMember = "organization_member",
        /// A team that the user is in.
        Team = "team",
        /// The user is a member of the registry himself.
        Direct = "direct",
        /// The user is an admin of the registry's organization.
        OrganizationAdmin = "organization_admin",
    }
}

/// A machine's account was to have a role that is for people (rule 15).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is a service account, which is member or admin of a registry and never {role}. Choose one of the two.")]
pub struct NotForMachines {
    name: String,
    role: RegistryRole,
}

impl RegistryRole {
    /// 1 (restricted viewer) to 4 (admin), as SQL compares it.
    pub fn level(self) -> i16 {
        match self {
            Self::RestrictedViewer => 1,
            Self::Viewer => 2,
            Self::Member => 3,
            Self::Admin => 4,
        }
    }

    /// The role of a [`RegistryRole::level`]; none for 0, which is no role.
    pub fn of_level(level: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.level() == level)
    }

    /// The role that a new member of a registry starts with: adding carries none (rule 12).
    pub fn at_start(service_account: bool) -> Self {
        if service_account { Self::Member } else { Self::RestrictedViewer }
    }

    /// Whether a service account may have this role: it is member or admin (rule 15).
    pub fn suits_service_accounts(self) -> bool {
        self >= Self::Member
    }

    /// Refuses a role that the named user can't have (rule 15).
    pub fn suiting(self, name: &str, service_account: bool) -> Result<Self, NotForMachines> {
        if service_account && !self.suits_service_accounts() {
            return Err(NotForMachines { name: name.to_owned(), role: self });
        }
        Ok(self)
    }
}

/// Whether direct admins of a registry may be removed or demoted: the last of them only by an admin of its organization
/// (rule 16). `admins` are there before, `losing` of them are to be none any more.
pub fn may_lose_admins(admins: usize, losing: usize, by_organization_admin: bool) -> bool {
    losing == 0 || losing < admins || by_organization_admin
}

impl Visibility {
    /// The wire's word: `PRIVATE` or `RESTRICTED` (rule 8).
    pub fn from_wire(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "PRIVATE" => Ok(Self::Organization),
            "RESTRICTED" => Ok(Self::Restricted),
            _ => Err(UnknownWord {
                given: crate::text::quoted(word),
                thing: "registry access",
                allowed: "PRIVATE (everyone in the organization), RESTRICTED (members only)".to_owned(),
            }),
        }
    }

    /// The wire's word for it.
    pub fn to_wire(self) -> &'static str {
        match self {
            Self::Organization => "PRIVATE",
            Self::Restricted => "RESTRICTED",
        }
    }

    /// Whether a registry may go from this visibility to that one: never from restricted to organization (rule 8).
    pub fn may_become(self, next: Self) -> bool {
        self == next || next == Self::Restricted
    }
}

/// What an operation asks of a registry's member, ascending: each right includes those before it (rule 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Names, versions, descriptions; no content.
    See,
    /// Manifest, file list, bytes, use by a run, linking onwards.
    Download,
    /// Collections, links, aliases, tags, a collection's description.
    Contribute,
    /// The registry's own fields, type list, members; deleting it.
    Administer,
}

impl Right {
    /// Every right, in ascending order.
    pub const ALL: &'static [Self] = &[Self::See, Self::Download, Self::Contribute, Self::Administer];

    /// The least role that has this right (rule 17).
    pub fn minimal_role(self) -> RegistryRole {
        match self {
            Self::See => RegistryRole::RestrictedViewer,
            Self::Download => RegistryRole::Viewer,
            Self::Contribute => RegistryRole::Member,
            Self::Administer => RegistryRole::Admin,
        }
    }

    /// The [`RegistryRole::level`] that a caller needs at least.
    pub fn level(self) -> i16 {
        self.minimal_role().level()
    }
}

words! {
    /// Who creates an organization's registries (rule 3).
    RegistryCreation, "registry creation setting" {
        /// Members and admins.
        Members = "members",
        /// Admins only.
        Admins = "admins",
    }
}

/// Whether a member of an organization may create registries there: never from a viewer's seat (rule 3).
pub fn may_create_registry(role: OrganizationRole, setting: RegistryCreation) -> bool {
    match setting {
        RegistryCreation::Members => role >= OrganizationRole::Member,
        RegistryCreation::Admins => role >= OrganizationRole::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_words_come_back() {
        for role in RegistryRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        for role in OrganizationRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        for role in TeamRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        for visibility in Visibility::ALL {
            assert_eq!(visibility.as_str().parse(), Ok(*visibility));
            assert_eq!(Visibility::from_wire(visibility.to_wire()), Ok(*visibility));
        }
    }

    #[test]
    fn rule_17_each_right_needs_its_role_and_every_higher_role_has_it() {
        let table = [
            (RegistryRole::RestrictedViewer, [true, false, false, false]),
            (RegistryRole::Viewer, [true, true, false, false]),
            (RegistryRole::Member, [true, true, true, false]),
            (RegistryRole::Admin, [true, true, true, true]),
        ];
        for (role, rights) in table {
            for (right, may) in Right::ALL.iter().zip(rights) {
                assert_eq!(role >= right.minimal_role(), may, "{role} {right:?}");
                assert_eq!(role.level() >= right.level(), may, "{role} {right:?}");
            }
        }
        assert_eq!(RegistryRole::ALL.iter().map(|r| r.level()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn rule_8_visibility_only_narrows() {
        use Visibility::{Organization, Restricted};
        assert!(Organization.may_become(Restricted));
        assert!(!Restricted.may_become(Organization));
        assert!(Organization.may_become(Organization) && Restricted.may_become(Restricted));
        assert_eq!(Organization.to_wire(), "PRIVATE");
        assert_eq!(Restricted.to_wire(), "RESTRICTED");
    }

    #[test]
    fn rules_12_and_15_machines_are_member_or_admin() {
        assert_eq!(RegistryRole::at_start(false), RegistryRole::RestrictedViewer);
        assert_eq!(RegistryRole::at_start(true), RegistryRole::Member);
        for (role, suits) in RegistryRole::ALL.iter().zip([false, false, true, true]) {
            assert_eq!(role.suits_service_accounts(), suits, "{role}");
            assert_eq!(role.suiting("robot", true).is_ok(), suits, "{role}");
            assert_eq!(role.suiting("alice", false), Ok(*role));
        }
        let error = RegistryRole::Viewer.suiting("robot", true).unwrap_err().to_string();
        assert!(error.starts_with("robot is a service account") && error.contains("member or admin"), "{error}");
    }

    #[test]
    fn rule_16_the_last_direct_admin() {
        for (admins, losing, by_others, by_organization_admin) in [
            (0, 0, true, true),
            (1, 0, true, true),
            (1, 1, false, true),
            (2, 1, true, true),
            (2, 2, false, true),
            (3, 2, true, true),
        ] {
            assert_eq!(may_lose_admins(admins, losing, false), by_others, "{losing} of {admins}");
            assert_eq!(may_lose_admins(admins, losing, true), by_organization_admin, "{losing} of {admins}");
        }
    }

    #[test]
    fn levels_and_roles() {
        assert_eq!((-1..6).map(RegistryRole::of_level).filter(Option::is_some).count(), 4);
        for role in RegistryRole::ALL {
            assert_eq!(RegistryRole::of_level(role.level()), Some(*role));
        }
        for source in RoleSource::ALL {
            assert_eq!(source.as_str().parse(), Ok(*source));
        }
    }

    #[test]
    fn rule_3_a_viewer_seat_creates_no_registry() {
        for (role, by_members, by_admins) in [
            (OrganizationRole::Viewer, false, false),
            (OrganizationRole::Member, true, false),
            (OrganizationRole::Admin, true, true),
        ] {
            assert_eq!(may_create_registry(role, RegistryCreation::Members), by_members);
            assert_eq!(may_create_registry(role, RegistryCreation::Admins), by_admins);
        }
    }

    #[test]
    fn unknown_words_are_refused_by_name() {
        assert!(RegistryRole::from_str("Admin").is_err());
        assert!(TeamRole::from_str("viewer").is_err());
        let error = RegistryRole::from_str("owner\n").unwrap_err().to_string();
        assert_eq!(error, r#""owner\n" is not a registry role. Use one of: restricted_viewer, viewer, member, admin."#);
        let error = Visibility::from_wire("organization").unwrap_err().to_string();
        assert!(error.contains("PRIVATE") && error.contains("RESTRICTED"), "{error}");
    }
}

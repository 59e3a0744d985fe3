//! How a request ended, as the classes that reports and objectives count.

use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 2xx whose body arrived whole (and, where it was looked at, was right).
    Success,
    /// 429: the service asked for patience.
    TooMany,
    /// Any other 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// 1xx or 3xx, which no plan of ours expects.
    OtherStatus,
    /// A 2xx with a body that is not what it should be.
    WrongBody,
    /// No answer within the time limit of the plan.
    Timeout,
    /// The connection failed or broke.
    Transport,
    /// Never sent, because the service held its client up for too long.
    Overdue,
}

impl Outcome {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::TooMany,
        Self::ClientError,
        Self::ServerError,
        Self::OtherStatus,
        Self::WrongBody,
        Self::Timeout,
        Self::Transport,
        Self::Overdue,
    ];

    /// The class of an HTTP status.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            429 => Self::TooMany,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::OtherStatus,
        }
    }

    /// Whether objectives count it as an error: everything but a 2xx.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::Success)
    }

    /// What a person reads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::TooMany => "429",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::OtherStatus => "other status",
            Self::WrongBody => "wrong body",
            Self::Timeout => "timeout",
            Self::Transport => "connection",
            Self::Overdue => "overdue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_2xx_is_no_error_and_429_is_its_own_class() {
        assert!(!Outcome::of_status(204).is_error());
        for status in [100, 302, 400, 404, 429, 500, 503, 600] {
            assert!(Outcome::of_status(status).is_error(), "{status}");
        }
        assert_eq!(Outcome::of_status(429), Outcome::TooMany);
        assert_eq!(Outcome::of_status(428), Outcome::ClientError);
    }

    #[test]
    fn each_class_stands_at_its_own_place() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }
}

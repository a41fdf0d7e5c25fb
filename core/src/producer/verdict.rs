//! What a Produce answer's error code says about the batch.

use crate::{config::Acks, idempotence::Attempt, wire::ErrorCode};

/// The attempt's end, and what else the code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) attempt: Attempt,
    /// The leader or the topic may be another one than we know.
    pub(crate) stale_metadata: bool,
    /// The batch may be taken in smaller pieces.
    pub(crate) too_large: bool,
    /// The producer id is of no use any more; a bump of its epoch would not help.
    pub(crate) new_producer_id: bool,
}

/// Judges `code`, as hard cases 0 and 1 have it.
pub(crate) fn judge(code: ErrorCode, acks: Acks) -> Verdict {
    Verdict {
        attempt: attempt(code, acks),
        stale_metadata: is_of_stale_metadata(code),
        too_large: matches!(
            code,
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE
        ),
        new_producer_id: is_of_a_lost_producer_id(code),
    }
}

/// What may have been appended before the error counts as uncertain.
fn attempt(code: ErrorCode, acks: Acks) -> Attempt {
    match code {
        ErrorCode::REQUEST_TIMED_OUT if planted!(TimedOutIsRefused) => {
            Attempt::Refused { retry: true }
        }
        ErrorCode::NOT_LEADER_OR_FOLLOWER if planted!(NotLeaderIsRefused) => {
            Attempt::Refused { retry: true }
        }
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND if planted!(AfterAppendIsRefused) => {
            Attempt::Refused { retry: true }
        }
        ErrorCode::UNKNOWN_SERVER_ERROR if planted!(ServerErrorIsRefused) => {
            Attempt::Refused { retry: false }
        }
        ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Attempt::Written,

        // The append may have come before the error: under acks=all the leader waits for followers after it (H165).
        ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::NETWORK_EXCEPTION => Attempt::Uncertain { retry: true },
        code if acks == Acks::All && LOST_LEADERSHIP.contains(&code) => {
            Attempt::Uncertain { retry: true }
        }

        ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID
        | ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::THROTTLING_QUOTA_EXCEEDED => Attempt::Refused { retry: true },

        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::INVALID_PRODUCER_ID_MAPPING => Attempt::OutOfOrder,

        ErrorCode::INVALID_RECORD
        | ErrorCode::MESSAGE_TOO_LARGE
        | ErrorCode::RECORD_LIST_TOO_LARGE
        | ErrorCode::INVALID_TOPIC_EXCEPTION
        | ErrorCode::INVALID_REQUIRED_ACKS
        | ErrorCode::INVALID_TIMESTAMP
        | ErrorCode::INVALID_REQUEST
        | ErrorCode::INVALID_TXN_STATE
        | ErrorCode::PRODUCER_FENCED
        | ErrorCode::TRANSACTION_ABORTABLE
        | ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        | ErrorCode::UNSUPPORTED_VERSION
        | ErrorCode::POLICY_VIOLATION
        | ErrorCode::SECURITY_DISABLED => Attempt::Refused { retry: false },

        // UNKNOWN_SERVER_ERROR, and whatever a newer broker may say.
        _ => Attempt::Uncertain { retry: false },
    }
}

fn is_of_stale_metadata(code: ErrorCode) -> bool {
    LOST_LEADERSHIP.contains(&code)
        || matches!(
            code,
            ErrorCode::LEADER_NOT_AVAILABLE
                | ErrorCode::REPLICA_NOT_AVAILABLE
                | ErrorCode::FENCED_LEADER_EPOCH
                | ErrorCode::UNKNOWN_LEADER_EPOCH
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::INCONSISTENT_TOPIC_ID
                | ErrorCode::NETWORK_EXCEPTION
        )
}

fn is_of_a_lost_producer_id(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::INVALID_PRODUCER_ID_MAPPING
    )
}

/// The leader lost its place, its replica or its disk, before the append or after it.
const LOST_LEADERSHIP: [ErrorCode; 3] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::KAFKA_STORAGE_ERROR,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h165_lost_leadership_is_uncertain_only_where_the_leader_waits_for_followers() {
        let codes = [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ];
        for code in codes {
            assert_eq!(
                judge(code, Acks::All).attempt,
                Attempt::Uncertain { retry: true }
            );
            assert_eq!(
                judge(code, Acks::Leader).attempt,
                Attempt::Refused { retry: true }
            );
            assert!(judge(code, Acks::All).stale_metadata);
        }
    }

    #[test]
    fn h031_a_code_that_says_nothing_is_uncertain() {
        for code in [
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ] {
            assert_eq!(
                judge(code, Acks::Leader).attempt,
                Attempt::Uncertain { retry: true }
            );
        }
        assert_eq!(
            judge(ErrorCode(9999), Acks::All).attempt,
            Attempt::Uncertain { retry: false }
        );
    }
}

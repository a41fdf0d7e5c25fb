//! The error codes of the Kafka protocol that the model gives, and those that tests inject most.

/// No error.
pub const NONE: i16 = 0;
/// The broker does not know what went wrong.
pub const UNKNOWN_SERVER_ERROR: i16 = -1;
/// The offset lies outside the log.
pub const OFFSET_OUT_OF_RANGE: i16 = 1;
/// A batch fails its checksum.
pub const CORRUPT_MESSAGE: i16 = 2;
/// The broker has no such topic or partition.
pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// The partition has no leader now.
pub const LEADER_NOT_AVAILABLE: i16 = 5;
/// Another broker leads the partition.
pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
/// The followers were too slow; the records may be written.
pub const REQUEST_TIMED_OUT: i16 = 7;
/// The batch is larger than `max.message.bytes`.
pub const MESSAGE_TOO_LARGE: i16 = 10;
/// What comes with a committed offset is too long.
pub const OFFSET_METADATA_TOO_LARGE: i16 = 12;
/// The coordinator is still reading its state.
pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
/// No broker coordinates the group now.
pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
/// Another broker coordinates the group.
pub const NOT_COORDINATOR: i16 = 16;
/// The topic's name is not valid.
pub const INVALID_TOPIC_EXCEPTION: i16 = 17;
/// The batch is larger than a segment of the log.
pub const RECORD_LIST_TOO_LARGE: i16 = 18;
/// Too few replicas are in sync; nothing was written.
pub const NOT_ENOUGH_REPLICAS: i16 = 19;
/// Too few replicas were in sync after the append; the records may be written.
pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
/// `acks` is none of -1, 0 and 1.
pub const INVALID_REQUIRED_ACKS: i16 = 21;
/// The group has begun another generation since.
pub const ILLEGAL_GENERATION: i16 = 22;
/// The member can't work together with the others of its group.
pub const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
/// The group's name is empty or too long.
pub const INVALID_GROUP_ID: i16 = 24;
/// The group has no such member.
pub const UNKNOWN_MEMBER_ID: i16 = 25;
/// The member's session would be shorter or longer than the broker takes.
pub const INVALID_SESSION_TIMEOUT: i16 = 26;
/// The members of the group are to join anew.
pub const REBALANCE_IN_PROGRESS: i16 = 27;
/// The client may not use the topic.
pub const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
/// The client may not do that in this cluster.
pub const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
/// A record's timestamp lies too far in the future, or its kind is not the topic's.
pub const INVALID_TIMESTAMP: i16 = 32;
/// The broker does not serve this version of the API.
pub const UNSUPPORTED_VERSION: i16 = 35;
/// There is a topic of this name.
pub const TOPIC_ALREADY_EXISTS: i16 = 36;
/// The topic can't have so many partitions.
pub const INVALID_PARTITIONS: i16 = 37;
/// The topic can't have so many replicas.
pub const INVALID_REPLICATION_FACTOR: i16 = 38;
/// The partitions can't be placed like that.
pub const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
/// There is no such setting, or it can't have this value.
pub const INVALID_CONFIG: i16 = 40;
/// The request is well formed, and makes no sense.
pub const INVALID_REQUEST: i16 = 42;
/// The sequence does not follow the last one.
pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
/// The batch was written before, and its offset is forgotten.
pub const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
/// A producer with a newer epoch has written since.
pub const INVALID_PRODUCER_EPOCH: i16 = 47;
/// The client may not use the transactional id; the model has no transactions.
pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
/// The disk failed; the records may be written.
pub const KAFKA_STORAGE_ERROR: i16 = 56;
/// The broker has no state for the producer.
pub const UNKNOWN_PRODUCER_ID: i16 = 59;
/// The group has members.
pub const NON_EMPTY_GROUP: i16 = 68;
/// There is no such group.
pub const GROUP_ID_NOT_FOUND: i16 = 69;
/// The client's leader epoch is older than the broker's.
pub const FENCED_LEADER_EPOCH: i16 = 74;
/// The client's leader epoch is newer than the broker's.
pub const UNKNOWN_LEADER_EPOCH: i16 = 75;
/// The topic does not take batches with this codec in this version.
pub const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
/// The member is to join with the id that the answer gives it.
pub const MEMBER_ID_REQUIRED: i16 = 79;
/// There are too many groups or members.
pub const GROUP_MAX_SIZE_REACHED: i16 = 81;
/// A record or its batch breaks a rule.
pub const INVALID_RECORD: i16 = 87;
/// No topic has this id.
pub const UNKNOWN_TOPIC_ID: i16 = 100;
/// There are no endpoints of this kind.
pub const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;
/// The client is to begin anew from its seeds.
pub const REBOOTSTRAP_REQUIRED: i16 = 129;

//! Scenarios of groups, by the model alone.

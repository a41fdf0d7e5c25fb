//! The settings, under the names and with the defaults of Java's producer.

mod properties;

pub use properties::{PropertiesError, parse_properties};

//! What every box takes care of, whichever its role: who it is, its clock, its settings files, its alarms until the
//! journal has them, how hard it works, and whether its recordings still have their files. See `README.md`.

pub mod address;
pub mod alarm_states;
pub mod clock;
pub mod deletions;
pub mod disk;
pub mod file_watch;
pub mod identity;
pub mod kept;
pub mod vitals;

pub use alarm_states::AlarmStates;
pub use clock::BoxClock;

/// Parameters of an alarm or an audit entry from a JSON object.
pub fn params(value: serde_json::Value) -> catalog::Params {
    match value {
        serde_json::Value::Object(params) => params,
        _ => catalog::Params::new(),
    }
}

//! The rules of the scenario format, each as a script of what happens on a line and what the line says of it.

extern crate hookline_line as line;

mod alarms;
mod away;
mod calls;
mod do_not_record;
mod properties;
mod script;
mod starts;
mod stops;

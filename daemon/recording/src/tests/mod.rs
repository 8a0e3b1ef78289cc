//! Tests of the whole room: from the capture path's handle to files and journal, with everything between that can break.

mod crash;
mod disk;
mod files;
mod flow;
mod kit;
mod log;

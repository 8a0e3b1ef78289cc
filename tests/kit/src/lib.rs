//! The test kit: telephone lines made with spandsp and real speech, the truth about them, and a judge that compares
//! what the product said with that truth. It knows the product by its fixed interface only (scenario folders and
//! `hookline replay`), never by its code.

pub mod accuracy;
pub mod audio;
pub mod compare;
pub mod corpus;
pub mod event;
pub mod line_tap;
pub mod measure;
pub mod replay;
pub mod scenario;
pub mod spandsp;
pub mod speed;
pub mod wav;

//! The C shim's functions, as `shim/spandsp_shim.c` declares them.

use std::ffi::{c_char, c_float, c_int, c_uchar};

#[repr(C)]
pub struct Step {
    pub hertz: c_float,
    pub dbm0: c_float,
    pub ms: c_int,
}

#[repr(C)]
pub struct Element {
    pub tone: c_int,
    pub hertz: c_int,
    pub min_ms: c_int,
    pub max_ms: c_int,
}

#[repr(C)]
pub struct HeardRaw {
    pub noticed_at: u64,
    pub code: i32,
    pub bytes: [u8; 256],
}

#[repr(C)]
pub struct Awgn {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Rx {
    _private: [u8; 0],
}

unsafe extern "C" {
    pub fn kit_two_tones(
        out: *mut i16,
        samples: c_int,
        f1: c_float,
        level1: c_float,
        f2: c_float,
        level2: c_float,
    ) -> c_int;
    pub fn kit_dtmf_tx(
        digits: *const c_char,
        count: c_int,
        low_dbm0: c_int,
        twist_db: c_int,
        on_ms: c_int,
        off_ms: c_int,
        out: *mut i16,
        max: c_int,
    ) -> c_int;
    pub fn kit_adsi_tx(
        standard: c_int,
        message_type: c_int,
        fields: *const c_uchar,
        fields_len: c_int,
        level_dbm0: c_float,
        twist_db: c_float,
        seizure_bits: c_int,
        mark_bits: c_int,
        hertz_factor: c_float,
        rate_factor: c_float,
        on_ms: c_int,
        off_ms: c_int,
        out: *mut i16,
        max: c_int,
    ) -> c_int;
    pub fn kit_super_tone_tx(steps: *const Step, count: c_int, out: *mut i16, max: c_int) -> c_int;

    pub fn kit_awgn_new(seed: c_int, dbm0: c_float) -> *mut Awgn;
    pub fn kit_awgn_add(awgn: *mut Awgn, out: *mut i16, samples: c_int);
    pub fn kit_awgn_free(awgn: *mut Awgn);

    pub fn kit_rx_new() -> *mut Rx;
    pub fn kit_rx_add_dtmf(rx: *mut Rx) -> c_int;
    pub fn kit_rx_add_adsi(rx: *mut Rx, standard: c_int) -> c_int;
    pub fn kit_rx_add_power_meter(rx: *mut Rx) -> c_int;
    pub fn kit_rx_add_super_tone(rx: *mut Rx, elements: *const Element, count: c_int) -> c_int;
    pub fn kit_rx(rx: *mut Rx, amp: *const i16, samples: c_int);
    pub fn kit_rx_heard_count(rx: *const Rx) -> usize;
    pub fn kit_rx_heard(rx: *const Rx) -> *const HeardRaw;
    pub fn kit_rx_next_field(
        rx: *mut Rx,
        msg: *const u8,
        len: c_int,
        pos: c_int,
        kind: *mut u8,
        body: *mut *const u8,
        body_len: *mut c_int,
    ) -> c_int;
    pub fn kit_rx_level_dbm0(rx: *mut Rx) -> c_float;
    pub fn kit_rx_free(rx: *mut Rx);

    pub fn kit_alaw_encode(linear: *const i16, alaw: *mut u8, samples: usize);
    pub fn kit_alaw_decode(alaw: *const u8, linear: *mut i16, samples: usize);
}

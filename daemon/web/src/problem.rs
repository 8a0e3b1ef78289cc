//! What a client is told when something is refused or fails: RFC 9457 problem details with a stable code and
//! parameters, from which the pages make their sentence in the reader's language.

use axum::response::{IntoResponse, Response};
use hyper::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

/// One refusal. `title` is its English sentence: what failed, on which thing, what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub code: Code,
    pub params: Map<String, Value>,
    pub title: String,
}

macro_rules! codes {
    ($($variant:ident = $name:literal $status:ident),+ $(,)?) => {
        /// The codes of the contract (`ErrorCode` in `openapi.json`), each with its one status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($variant),+ }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }
        }
    };
}

codes! {
    NotLoggedIn = "not_logged_in" UNAUTHORIZED,
    LoginFailed = "login_failed" UNAUTHORIZED,
    LoginLocked = "login_locked" TOO_MANY_REQUESTS,
    PasswordChangeRequired = "password_change_required" FORBIDDEN,
    PasswordRefused = "password_refused" UNPROCESSABLE_ENTITY,
    OldPasswordWrong = "old_password_wrong" FORBIDDEN,
    CsrfWrong = "csrf_wrong" FORBIDDEN,
    RightMissing = "right_missing" FORBIDDEN,
    NotFound = "not_found" NOT_FOUND,
    RouteNotFound = "route_not_found" NOT_FOUND,
    MethodNotAllowed = "method_not_allowed" METHOD_NOT_ALLOWED,
    JsonMalformed = "json_malformed" BAD_REQUEST,
    FieldUnknown = "field_unknown" UNPROCESSABLE_ENTITY,
    FieldMissing = "field_missing" UNPROCESSABLE_ENTITY,
    FieldInvalid = "field_invalid" UNPROCESSABLE_ENTITY,
    BodyTooLarge = "body_too_large" PAYLOAD_TOO_LARGE,
    MediaTypeWrong = "media_type_wrong" UNSUPPORTED_MEDIA_TYPE,
    RequestIncomplete = "request_incomplete" BAD_REQUEST,
    RequestTimeout = "request_timeout" REQUEST_TIMEOUT,
    TokenWrong = "token_wrong" UNAUTHORIZED,
    UplinkExpected = "uplink_expected" UPGRADE_REQUIRED,
    RangeNotSatisfiable = "range_not_satisfiable" RANGE_NOT_SATISFIABLE,
    WebsocketExpected = "websocket_expected" UPGRADE_REQUIRED,
    CountMismatch = "count_mismatch" CONFLICT,
    AudioAbsent = "audio_absent" NOT_FOUND,
    RecordingDeleted = "recording_deleted" GONE,
    RecordingPermanent = "recording_permanent" CONFLICT,
    FileMissing = "file_missing" INTERNAL_SERVER_ERROR,
    SettingInvalid = "setting_invalid" UNPROCESSABLE_ENTITY,
    NothingToUndo = "nothing_to_undo" CONFLICT,
    CalibrationRefused = "calibration_refused" CONFLICT,
    RecordRefused = "record_refused" CONFLICT,
    AccountExists = "account_exists" CONFLICT,
    AccountProtected = "account_protected" CONFLICT,
    RightNotYours = "right_not_yours" FORBIDDEN,
    ContactExists = "contact_exists" CONFLICT,
    DeviceExists = "device_exists" CONFLICT,
    ConfirmationWrong = "confirmation_wrong" CONFLICT,
    DepartmentExists = "department_exists" CONFLICT,
    DepartmentInUse = "department_in_use" CONFLICT,
    DepartmentCycle = "department_cycle" CONFLICT,
    DepartmentNotYours = "department_not_yours" FORBIDDEN,
    DeviceOffline = "device_offline" CONFLICT,
    AudioNotHere = "audio_not_here" CONFLICT,
    AudioHere = "audio_here" CONFLICT,
    CommandOver = "command_over" CONFLICT,
    JobOver = "job_over" CONFLICT,
    TooManyFound = "too_many_found" CONFLICT,
    ListeningRefused = "listening_refused" CONFLICT,
    ReleaseExists = "release_exists" CONFLICT,
    ReleaseNameTaken = "release_name_taken" CONFLICT,
    ReleaseInUse = "release_in_use" CONFLICT,
    TooManyReleases = "too_many_releases" CONFLICT,
    NotABundle = "not_a_bundle" UNPROCESSABLE_ENTITY,
    NoRoom = "no_room" INSUFFICIENT_STORAGE,
    NoTime = "no_time" CONFLICT,
    ClockFailed = "clock_failed" INTERNAL_SERVER_ERROR,
    Busy = "busy" SERVICE_UNAVAILABLE,
    ApplianceAbsent = "appliance_absent" SERVICE_UNAVAILABLE,
    ApplianceFailed = "appliance_failed" INTERNAL_SERVER_ERROR,
    NetworkInvalid = "network_invalid" UNPROCESSABLE_ENTITY,
    NetworkChangeWaits = "network_change_waits" CONFLICT,
    NetworkChangeOver = "network_change_over" CONFLICT,
    NotWell = "not_well" SERVICE_UNAVAILABLE,
    StorageFailed = "storage_failed" INTERNAL_SERVER_ERROR,
    Internal = "internal" INTERNAL_SERVER_ERROR,
}

impl Problem {
    pub fn new(code: Code, title: impl Into<String>) -> Self {
        Self { code, params: Map::new(), title: title.into() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} {id}."))
            .with("what", what)
            .with("id", id.to_string())
    }

    pub fn field_invalid(field: &str, expected: &str) -> Self {
        Self::new(Code::FieldInvalid, format!("`{field}` must be {expected}."))
            .with("field", field)
            .with("expected", expected)
    }

    pub fn field_missing(field: &str) -> Self {
        Self::new(Code::FieldMissing, format!("`{field}` is missing.")).with("field", field)
    }

    pub fn field_unknown(field: &str) -> Self {
        Self::new(Code::FieldUnknown, format!("There is no member or parameter `{field}` here."))
            .with("field", field)
    }

    pub fn method_not_allowed(method: &Method) -> Self {
        Self::new(Code::MethodNotAllowed, format!("{method} is not possible here."))
            .with("method", method.as_str())
    }

    pub fn busy(retry_after_s: u64) -> Self {
        Self::new(Code::Busy, format!("The box is busy: try again in {retry_after_s} s."))
            .with("retry_after_s", retry_after_s)
    }

    pub fn login_locked(retry_after_s: u64) -> Self {
        Self::new(Code::LoginLocked, format!("Too many failed logins: try again in {retry_after_s} s."))
            .with("retry_after_s", retry_after_s)
    }

    /// Something that should not happen. `what` goes to the log, not to the client, under a number that both know.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        let incident = crate::random::hex::<4>();
        eprintln!("web: incident {incident}: {what}");
        Self::new(Code::Internal, format!("Something went wrong inside; it is in the log as {incident}."))
            .with("incident", incident)
    }

    /// The disk refused. `what` goes to the log: it may hold paths.
    pub fn storage(step: &str, what: impl std::fmt::Display) -> Self {
        eprintln!("web: storage failed, {step}: {what}");
        Self::new(Code::StorageFailed, "The disk refused to read or write: see the alarms.")
            .with("step", step)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let retry_after_s = self.params.get("retry_after_s").and_then(Value::as_u64);
        let body = json!({
            "type": "about:blank",
            "status": status.as_u16(),
            "code": self.code.name(),
            "params": self.params,
            "title": self.title,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

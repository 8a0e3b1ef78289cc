//! Holds answers against `openapi.json`: the operation is there, the status is declared for it, the body fits its schema.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(hookline_web::OPENAPI).expect("JSON"));
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The path of the contract that an address without query belongs to; fixed names go before parameters.
fn template_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let names: Vec<&str> = template.split('/').collect();
        names.len() == parts.len()
            && names.iter().zip(&parts).all(|(name, part)| name.starts_with('{') || name == part)
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.keys().map(String::as_str).filter(|path| fits(path)).min_by_key(|path| path.matches('{').count())
}

/// Panics when an answer is not as the contract says.
pub fn check(method: &str, path: &str, status: u16, media_type: &str, body: &[u8]) {
    let path = path.split('?').next().unwrap_or_default();
    let method = method.to_lowercase();
    if status == 405 || (status == 404 && template_of(path).is_none()) {
        // What the contract does not know is still told in its way.
        return problem(body);
    }
    let template = template_of(path).unwrap_or_else(|| panic!("{path} is not in the contract"));
    let operation = &DOCUMENT["paths"][template][&method];
    assert!(operation.is_object(), "{method} {template} is not in the contract");
    let mut pointer = format!("/paths/{}/{method}/responses/{status}", template.replace('/', "~1"));
    let mut response = &operation["responses"][status.to_string()];
    assert!(
        response.is_object(),
        "{method} {template} may not answer {status}: {}",
        String::from_utf8_lossy(body)
    );
    if let Some(reference) = response["$ref"].as_str() {
        pointer = reference.trim_start_matches('#').to_owned();
        response = DOCUMENT.pointer(&pointer).expect("a response");
    }
    let Some(content) = response["content"].as_object().filter(|_| method != "head") else {
        assert!(body.is_empty(), "{method} {template} {status} has no body");
        return;
    };
    let kind = media_type.split(';').next().unwrap_or_default();
    assert!(
        content.contains_key(kind),
        "{method} {template} {status} answers {kind}, not {:?}",
        content.keys()
    );
    if kind == "application/json" || kind == "application/problem+json" {
        let value: Value = serde_json::from_slice(body).expect("JSON");
        let pointer = format!("{pointer}/content/{}/schema", kind.replace('/', "~1"));
        valid(&pointer, &value, &format!("{method} {template} {status}"));
    }
}

fn problem(body: &[u8]) {
    let value: Value = serde_json::from_slice(body).expect("JSON");
    valid("/components/schemas/Problem", &value, "a problem");
}

/// Panics when `value` does not fit the schema at `pointer` of the contract.
pub fn valid(pointer: &str, value: &Value, what: &str) {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *validators.entry(pointer.to_owned()).or_insert_with(|| {
        let schema = DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer}"));
        let schema = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        Box::leak(Box::new(jsonschema::draft202012::new(&schema).expect("a schema")))
    });
    drop(validators);
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} is not as the contract says: {errors:#?}\n{value:#}");
}

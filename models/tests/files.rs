//! Files that are no models are refused at the door, with the reason and what to do.

mod support;

use std::path::Path;

use llmos_models::{LocalModel, ModelError, PlanRequest, Planner};

fn message(path: &Path) -> String {
    LocalModel::open(path).expect_err("no model").to_string()
}

fn written(draft: &support::Draft) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), draft.bytes()).expect("written");
    file
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(message(folder.path()).contains("expected a regular file, found a directory"));
    assert!(message(&folder.path().join("absent.gguf")).contains("absent.gguf"));
    if cfg!(unix) {
        assert!(message(Path::new("/dev/zero")).contains("a pipe, socket or device"));
    }
}

#[test]
fn a_file_of_something_else_names_the_field() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    assert!(message(file.path()).contains("magic: expected 4 more bytes at byte 0, found 0"));
    std::fs::write(file.path(), "# A document, and no model\n").expect("written");
    assert!(message(file.path()).contains("magic: expected `GGUF`"));
}

#[test]
fn a_wrong_tokenizer_names_the_key() {
    let right = support::random_model(1);
    let tokens = "tokenizer.ggml.tokens";
    let lies: Vec<(&str, &str, u32, Vec<u8>)> = vec![
        (
            "tokenizer.ggml.model",
            "tokenizer.ggml.model",
            8,
            support::string("llama"),
        ),
        (
            "tokenizer.ggml.pre",
            "tokenizer.ggml.pre",
            8,
            support::string("llama-bpe"),
        ),
        (tokens, tokens, 9, support::strings(&support::vocabulary()[..100])),
        (tokens, tokens, 9, support::strings(&vec!["same".to_owned(); 320])),
        (
            tokens,
            tokens,
            9,
            support::strings(&[support::vocabulary(), vec!["one too many".into()]].concat()),
        ),
        (
            "tokenizer.ggml.merges",
            "tokenizer.ggml.merges",
            9,
            support::strings(&["apart".to_owned()]),
        ),
        (
            "tokenizer.ggml.merges",
            "tokenizer.ggml.merges",
            9,
            support::strings(&["un known".to_owned()]),
        ),
    ];
    for (named, key, kind, value) in lies {
        let mut draft = right.clone();
        draft.set(key, kind, &value);
        let message = message(written(&draft).path());
        assert!(message.contains(named), "{named}: {message}");
    }
}

#[test]
fn a_planner_without_one_of_its_heads_is_refused() {
    let mut draft = support::random_model(1);
    draft.tensors.retain(|tensor| tensor.name != "pointer.end.key.weight");
    let message = message(written(&draft).path());
    assert!(message.contains("pointer.end.key.weight"), "{message}");
    let mut other = support::random_model(1);
    other.set("llmos.format", 4, &1u32.to_le_bytes());
    let message = self::message(written(&other).path());
    assert!(message.contains("llmos.format"), "{message}");
    for caution in [f32::NAN, f32::INFINITY, -1.0, 1e9] {
        let mut draft = support::random_model(1);
        draft.set("llmos.caution", 6, &caution.to_le_bytes());
        let message = self::message(written(&draft).path());
        assert!(
            message.contains("llmos.caution: expected a number above 0"),
            "{message}"
        );
    }
}

#[test]
fn damaged_weights_are_an_error_and_not_a_plan() {
    let mut draft = support::random_model(1);
    let norm = &mut draft.tensor("output_norm.weight").data;
    norm[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut model = LocalModel::open(written(&draft).path()).expect("a model");
    let tool = llmos_models::ToolSpec {
        name: "stop".into(),
        does: "Stop".into(),
        parameters: vec![],
    };
    let request = PlanRequest {
        tools: &[tool],
        goal: "stop",
        spans: &[],
        example: None,
        calls_max: 1,
    };
    assert!(matches!(model.plan(&request), Err(ModelError::NotFinite { .. })));
    assert!(matches!(model.score(&[60, 61, 62]), Err(ModelError::NotFinite { .. })));
}

#[test]
fn a_file_that_is_replaced_changes_nothing_that_runs() {
    let file = written(&support::random_model(1));
    let mut model = LocalModel::open(file.path()).expect("a model");
    let before = model.score(&[60, 61, 62]).expect("scores");
    std::fs::write(file.path(), support::random_model(2).bytes()).expect("written");
    assert_eq!(model.score(&[60, 61, 62]).expect("scores"), before);
    std::fs::write(file.path(), b"gone").expect("written");
    assert_eq!(model.score(&[60, 61, 62]).expect("scores"), before);
}

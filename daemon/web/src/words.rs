//! Words of files that people take away (spreadsheets, manifests), in their language. The API itself speaks in codes.
//! Values are said as the pages say them (`locales`); headings stand here, where a column is narrower than a page.

pub use locales::Language;

/// How a language says what stands in a table.
pub trait TableWords {
    /// The heading of a column; the code itself where there is no word for it.
    fn column(self, code: &'static str) -> &'static str;

    /// The word for a value of a column; the code itself where there is no word for it.
    fn value<'a>(self, column: &str, code: &'a str) -> &'a str;
}

impl TableWords for Language {
    fn column(self, code: &'static str) -> &'static str {
        COLUMNS.iter().find(|(name, _)| *name == code).map_or(code, |(_, words)| self.of(*words))
    }

    fn value<'a>(self, column: &str, code: &'a str) -> &'a str {
        SECTIONS
            .iter()
            .find(|(name, _)| *name == column)
            .and_then(|(_, section)| self.word(&[section, code]))
            .unwrap_or(code)
    }
}

/// Columns whose values are names of the API, and where the pages have the words for them.
const SECTIONS: [(&str, &str); 7] = [
    ("start_mode", "start_mode"),
    ("stop_mode", "stop_mode"),
    ("call_type", "call_type"),
    ("grade", "grade"),
    ("result", "audit_result"),
    ("item", "audit_item"),
    ("operation", "audit_operation"),
];

/// Simplified, Traditional, English.
const COLUMNS: &[(&str, [&str; 3])] = &[
    ("station", ["录音设备", "錄音設備", "Station"]),
    ("serial", ["序列号", "序號", "Serial number"]),
    ("sn", ["录音SN", "錄音SN", "SN"]),
    ("id", ["记录编号", "紀錄編號", "Record"]),
    ("port", ["录音端口", "線路埠", "Port"]),
    ("port_contact", ["使用人", "使用人", "Port user"]),
    ("port_name", ["端口名称", "線路埠名稱", "Port name"]),
    ("start", ["开始时间", "開始時間", "Start"]),
    ("duration", ["时长", "時長", "Duration"]),
    ("caller", ["主叫", "主叫", "Caller"]),
    ("callee", ["被叫", "被叫", "Callee"]),
    ("line_number", ["线路号码", "線路號碼", "Line number"]),
    ("peer_number", ["对方号码", "對方號碼", "Peer number"]),
    ("line_contact", ["本方姓名", "本方姓名", "Line contact"]),
    ("peer_contact", ["对方姓名", "對方姓名", "Peer contact"]),
    ("call_type", ["通话类型", "通話類型", "Call type"]),
    ("start_mode", ["起始模式", "起始模式", "Start mode"]),
    ("stop_mode", ["停止模式", "停止模式", "Stop mode"]),
    ("grade", ["级别", "級別", "Grade"]),
    ("score", ["评分", "評分", "Score"]),
    ("tags", ["标签", "標籤", "Tags"]),
    ("note", ["备注", "備註", "Note"]),
    ("play_count", ["播放次数", "播放次數", "Plays"]),
    ("deleted", ["已删除", "已刪除", "Deleted"]),
    ("file", ["文件", "檔案", "File"]),
    ("bytes", ["字节数", "位元組數", "Bytes"]),
    ("file_sha256", ["文件 SHA-256", "檔案 SHA-256", "File SHA-256"]),
    ("audio_sha256", ["音频 SHA-256", "音訊 SHA-256", "Audio SHA-256"]),
    ("problem", ["问题", "問題", "Problem"]),
    ("number", ["号码", "號碼", "Number"]),
    ("name", ["姓名", "姓名", "Name"]),
    ("department", ["部门", "部門", "Department"]),
    ("extension", ["内部分机", "內部分機", "Extension"]),
    ("outside_number", ["联系号码", "聯絡號碼", "Outside number"]),
    ("position", ["职务", "職務", "Position"]),
    ("email", ["邮箱", "電子郵件", "E-mail"]),
    ("time", ["时间", "時間", "Time"]),
    ("account", ["账号", "帳號", "Account"]),
    ("display_name", ["姓名", "姓名", "Name"]),
    ("ip", ["IP 地址", "IP 位址", "IP address"]),
    ("item", ["对象", "項目", "Item"]),
    ("operation", ["操作", "操作", "Operation"]),
    ("parameters", ["参数", "參數", "Parameters"]),
    ("result", ["结果", "結果", "Result"]),
    ("detail", ["详情", "詳情", "Detail"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{AuditResult, Grade};
    use line::{CallType, StartMode, StopMode};

    #[test]
    fn every_name_of_the_api_has_a_word_in_every_language() {
        let names: Vec<(&str, Vec<&str>)> = vec![
            ("start_mode", StartMode::ALL.iter().map(|one| one.name()).collect()),
            ("stop_mode", StopMode::ALL.iter().map(|one| one.name()).collect()),
            ("call_type", CallType::ALL.iter().map(|one| one.name()).collect()),
            ("grade", Grade::ALL.iter().map(|one| one.name()).collect()),
            ("result", AuditResult::ALL.iter().map(|one| one.name()).collect()),
        ];
        for (column, names) in names {
            for name in names {
                let chinese = Language::Simplified.value(column, name);
                assert!(!chinese.is_ascii(), "{column} {name}");
                assert!(!Language::Traditional.value(column, name).is_ascii(), "{column} {name}");
                assert!(Language::English.value(column, name).is_ascii(), "{column} {name}");
            }
        }
    }

    /// Who reads a file beside the pages finds the same headings in both.
    #[test]
    fn columns_are_headed_as_on_the_pages() {
        for language in Language::ALL {
            let mut shared = 0;
            for (code, words) in COLUMNS {
                let word = language.word(&["recording", code]).or_else(|| language.word(&["audit", code]));
                if let Some(word) = word {
                    shared += 1;
                    assert_eq!(language.of(*words), word, "column {code} in {}", language.name());
                }
            }
            assert!(shared >= 20, "{shared} columns of files are columns of the pages");
        }
    }

    #[test]
    fn words_follow_the_reader() {
        assert_eq!(Language::Simplified.value("stop_mode", "power_loss"), "断电停止");
        assert_eq!(Language::Traditional.column("port"), "線路埠");
        assert_eq!(Language::English.value("operation", "of_a_newer_release"), "of_a_newer_release");
    }
}

//! Words of files that people take away (spreadsheets, manifests), in their language. The API itself speaks in codes.

/// Languages of pages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 简体中文
    Simplified,
    /// 繁體中文
    Traditional,
    #[default]
    English,
}

impl Language {
    pub const ALL: &[Self] = &[Self::Simplified, Self::Traditional, Self::English];

    /// BCP 47, as the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simplified => "zh-CN",
            Self::Traditional => "zh-TW",
            Self::English => "en",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.name() == name)
    }

    fn of(self, words: &Words) -> &'static str {
        match self {
            Self::Simplified => words.0,
            Self::Traditional => words.1,
            Self::English => words.2,
        }
    }

    /// The heading of a column; the code itself where there is no word for it.
    pub fn column(self, code: &'static str) -> &'static str {
        find(COLUMNS, code).map_or(code, |words| self.of(words))
    }

    /// The word for a value of a column; the code itself where there is no word for it.
    pub fn value<'a>(self, column: &str, code: &'a str) -> &'a str {
        let table = match column {
            "start_mode" => START_MODES,
            "stop_mode" => STOP_MODES,
            "call_type" => CALL_TYPES,
            "grade" => GRADES,
            "result" => RESULTS,
            "item" => ITEMS,
            "operation" => OPERATIONS,
            _ => return code,
        };
        find(table, code).map_or(code, |words| self.of(words))
    }
}

/// Simplified, Traditional, English.
struct Words(&'static str, &'static str, &'static str);

type Table = &'static [(&'static str, Words)];

fn find(table: Table, code: &str) -> Option<&'static Words> {
    table.iter().find(|(name, _)| *name == code).map(|(_, words)| words)
}

const COLUMNS: Table = &[
    ("station", Words("录音设备", "錄音設備", "Station")),
    ("serial", Words("序列号", "序號", "Serial number")),
    ("sn", Words("录音SN", "錄音SN", "SN")),
    ("id", Words("记录编号", "紀錄編號", "Record")),
    ("port", Words("录音端口", "線路埠", "Port")),
    ("port_name", Words("端口名称", "線路埠名稱", "Port name")),
    ("start", Words("开始时间", "開始時間", "Start")),
    ("duration", Words("时长", "時長", "Duration")),
    ("caller", Words("主叫", "主叫", "Caller")),
    ("callee", Words("被叫", "被叫", "Callee")),
    ("line_number", Words("线路号码", "線路號碼", "Line number")),
    ("peer_number", Words("对方号码", "對方號碼", "Peer number")),
    ("line_contact", Words("本方姓名", "本方姓名", "Line contact")),
    ("peer_contact", Words("对方姓名", "對方姓名", "Peer contact")),
    ("call_type", Words("通话类型", "通話類型", "Call type")),
    ("start_mode", Words("起始模式", "起始模式", "Start mode")),
    ("stop_mode", Words("停止模式", "停止模式", "Stop mode")),
    ("grade", Words("级别", "級別", "Grade")),
    ("score", Words("评分", "評分", "Score")),
    ("tags", Words("标签", "標籤", "Tags")),
    ("note", Words("备注", "備註", "Note")),
    ("play_count", Words("播放次数", "播放次數", "Plays")),
    ("deleted", Words("已删除", "已刪除", "Deleted")),
    ("file", Words("文件", "檔案", "File")),
    ("bytes", Words("字节数", "位元組數", "Bytes")),
    ("file_sha256", Words("文件 SHA-256", "檔案 SHA-256", "File SHA-256")),
    ("audio_sha256", Words("音频 SHA-256", "音訊 SHA-256", "Audio SHA-256")),
    ("problem", Words("问题", "問題", "Problem")),
    ("time", Words("时间", "時間", "Time")),
    ("account", Words("账号", "帳號", "Account")),
    ("display_name", Words("姓名", "姓名", "Name")),
    ("ip", Words("IP 地址", "IP 位址", "IP address")),
    ("item", Words("对象", "項目", "Item")),
    ("operation", Words("操作", "操作", "Operation")),
    ("parameters", Words("参数", "參數", "Parameters")),
    ("result", Words("结果", "結果", "Result")),
    ("detail", Words("详情", "詳情", "Detail")),
];

const START_MODES: Table = &[
    ("voltage", Words("压控录音", "壓控錄音", "Off-hook by voltage")),
    ("voice", Words("声控录音", "聲控錄音", "Voice")),
    ("key", Words("键控录音", "鍵控錄音", "DTMF code")),
    ("signalling", Words("信令录音", "信令錄音", "Signalling")),
    ("schedule", Words("定时录音", "定時錄音", "Schedule")),
    ("continuous", Words("全时录音", "全時錄音", "Continuous")),
    ("manual", Words("手动录音", "手動錄音", "Manual")),
];

const STOP_MODES: Table = &[
    ("on_hook", Words("挂机停止", "掛斷停止", "On-hook")),
    ("silence", Words("静默停止", "靜默停止", "Silence")),
    ("busy_tone", Words("忙音停止", "忙線音停止", "Busy tone")),
    ("release", Words("信令停止", "信令停止", "Release")),
    ("line_lost", Words("断线停止", "斷線停止", "Line lost")),
    ("schedule", Words("定时停止", "定時停止", "Schedule")),
    ("length", Words("限时停止", "限時停止", "Length")),
    ("manual", Words("手动停止", "手動停止", "Manual")),
    ("shutdown", Words("关机停止", "關機停止", "Shutdown")),
    ("power_loss", Words("断电停止", "斷電停止", "Power loss")),
];

const CALL_TYPES: Table = &[
    ("incoming_answered", Words("呼入已接", "來電已接", "Incoming, answered")),
    ("incoming_missed", Words("呼入未接", "未接來電", "Incoming, missed")),
    ("outgoing_answered", Words("呼出已接", "去電已接", "Outgoing, answered")),
    ("outgoing_unanswered", Words("呼出未接", "去電未接", "Outgoing, unanswered")),
    ("unknown", Words("未知", "未知", "Unknown")),
];

const GRADES: Table = &[
    ("normal", Words("普通", "普通", "Normal")),
    ("important", Words("重要", "重要", "Important")),
    ("permanent", Words("永久", "永久", "Permanent")),
];

const RESULTS: Table = &[
    ("ok", Words("成功", "成功", "Done")),
    ("refused", Words("拒绝", "拒絕", "Refused")),
    ("failed", Words("失败", "失敗", "Failed")),
];

const ITEMS: Table = &[
    ("session", Words("会话", "工作階段", "Session")),
    ("account", Words("账号", "帳號", "Account")),
    ("recording", Words("录音", "錄音", "Recording")),
    ("channel", Words("通道", "通道", "Channel")),
    ("alarm", Words("告警", "告警", "Alarm")),
    ("contact", Words("客户资料", "聯絡人", "Contact")),
    ("audit", Words("操作日志", "操作紀錄", "Audit trail")),
    ("box", Words("设备", "設備", "Box")),
    ("device", Words("录音设备", "錄音設備", "Station")),
    ("department", Words("部门", "部門", "Department")),
    ("command", Words("平台指令", "平台指令", "Command of the platform")),
];

const OPERATIONS: Table = &[
    ("login", Words("登录", "登入", "Log in")),
    ("logout", Words("退出登录", "登出", "Log out")),
    ("change_password", Words("修改密码", "變更密碼", "Change password")),
    ("create", Words("新建", "新增", "Create")),
    ("change", Words("修改", "變更", "Change")),
    ("delete", Words("删除", "刪除", "Delete")),
    ("undo", Words("撤销", "復原", "Undo")),
    ("play", Words("播放", "播放", "Play")),
    ("download", Words("下载", "下載", "Download")),
    ("export", Words("导出", "匯出", "Export")),
    ("annotate", Words("评分、级别、备注", "評分、級別、備註", "Score, grade, note")),
    ("tag_add", Words("添加标签", "新增標籤", "Add tag")),
    ("tag_remove", Words("删除标签", "移除標籤", "Remove tag")),
    ("listen_start", Words("开始监听", "開始即時聆聽", "Start listening live")),
    ("listen_stop", Words("停止监听", "停止即時聆聽", "Stop listening live")),
    ("record_start", Words("手动开始录音", "手動開始錄音", "Record now")),
    ("record_stop", Words("手动停止录音", "手動停止錄音", "Stop recording")),
    ("calibrate", Words("校准", "校準", "Calibrate")),
    ("volts_reset", Words("重置电压极值", "重設電壓極值", "Reset voltage range")),
    ("acknowledge", Words("确认告警", "確認告警", "Acknowledge")),
    ("withhold", Words("按规则不留录音", "依規則不留錄音", "Withhold audio")),
    ("start", Words("启动", "啟動", "Start")),
    ("stop", Words("停止", "停止", "Stop")),
    ("change_ports", Words("划归端口", "劃歸線路埠", "Give ports to a department")),
    ("command", Words("下发指令", "下發指令", "Command")),
    ("command_cancel", Words("取消指令", "取消指令", "Cancel command")),
    ("command_end", Words("指令结果", "指令結果", "Command ended")),
    ("replace_key", Words("更换密钥", "更換金鑰", "Replace key")),
    ("fetch", Words("调取录音", "調取錄音", "Fetch")),
    ("synchronise", Words("手动同步", "手動同步", "Synchronise")),
    ("set_channels", Words("设置通道", "設定通道", "Set channels")),
    ("set_contacts", Words("设置客户资料", "設定聯絡人", "Set contacts")),
    ("set_box", Words("设置设备", "設定設備", "Set box settings")),
    ("restart", Words("重新启动", "重新啟動", "Restart")),
    ("set_time", Words("校准时间", "校正時間", "Set time")),
    ("upgrade", Words("升级", "升級", "Upgrade")),
    ("pin_key", Words("绑定密钥", "綁定金鑰", "Pin key")),
    ("listen", Words("监听", "即時聆聽", "Listen live")),
    ("stop_listening", Words("停止监听", "停止即時聆聽", "Stop listening live")),
    ("delete_found", Words("删除查询结果", "刪除查詢結果", "Delete all found")),
    ("archive", Words("归档查询结果", "歸檔查詢結果", "Archive all found")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use catalog::{AuditResult, Grade};
    use line::{CallType, StartMode, StopMode};
    use serde_json::Value;

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

    /// The pages' own words.
    fn locale(language: Language) -> Value {
        let file = format!("../../webui/src/locales/{}.json", language.name());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("JSON")
    }

    /// Who reads a file beside the pages finds the same words in both, and every one of them.
    #[test]
    fn files_speak_as_the_pages_do() {
        let tables: [(&str, Table); 7] = [
            ("start_mode", START_MODES),
            ("stop_mode", STOP_MODES),
            ("call_type", CALL_TYPES),
            ("grade", GRADES),
            ("audit_result", RESULTS),
            ("audit_item", ITEMS),
            ("audit_operation", OPERATIONS),
        ];
        for language in Language::ALL {
            let pages = locale(*language);
            for (section, table) in tables {
                let ours: BTreeMap<&str, &str> =
                    table.iter().map(|(code, words)| (*code, language.of(words))).collect();
                let theirs: BTreeMap<&str, &str> = pages[section]
                    .as_object()
                    .expect("a section")
                    .iter()
                    .map(|(code, word)| (code.as_str(), word.as_str().unwrap_or_default()))
                    .collect();
                assert_eq!(ours, theirs, "{section} in {}", language.name());
            }
            let mut shared = 0;
            for (code, words) in COLUMNS {
                let word = pages["recording"].get(code).or_else(|| pages["audit"].get(code));
                if let Some(word) = word {
                    shared += 1;
                    assert_eq!(language.of(words), word, "column {code} in {}", language.name());
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
        assert_eq!(Language::from_name("zh-TW"), Some(Language::Traditional));
        assert_eq!(Language::from_name("zh"), None);
    }
}

// The log: one line an event (LogSink.swift), written with one write(2) to a file that was opened before the mount covers
// it (LogFile.swift).

import FileSystemCore
import FoundationEssentials
import Logging

/// Hands log events on as lines.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    private let sink: LogSink

    init(_ sink: LogSink, level: Logger.Level) {
        self.sink = sink
        logLevel = level
    }

    /// A logger for the whole process.
    static func logger(_ sink: LogSink, level: Logger.Level) -> Logger {
        Logger(label: "backupfs") { _ in LineLogHandler(sink, level: level) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        sink.log(event.level, event.message.description, facts)
    }

    /// One event without its line feed; control characters in it are escaped.
    static func line(
        at date: Date, _ level: Logger.Level, _ message: String, facts: [String: String], format: LogFormat
    ) -> String {
        let time = ReportCoding.text(date)
        switch format {
        case .text:
            let shown = facts.sorted { $0.key < $1.key }.map { key, value in
                let isBare = !value.isEmpty && !value.contains { $0 == " " || $0 == "\"" || $0 == "=" }
                return " \(key)=\(isBare ? value : "\"\(value.replacing("\"", with: "\\\""))\"")"
            }
            return terminalText("\(time) \(level.rawValue) \(message)\(shown.joined())")
        case .json:
            var object = facts
            object["time"] = time
            object["level"] = level.rawValue
            object["message"] = message
            let encoded = try? ReportCoding.encode(object)
            return String(decoding: encoded ?? [], as: UTF8.self)
        }
    }
}

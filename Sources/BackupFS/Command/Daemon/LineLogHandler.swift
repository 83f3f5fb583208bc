// The log: one line an event, written with one write(2) to a descriptor that was opened before the mount covers it.

import FileSystemCore
import FoundationEssentials
import Glibc
import Logging

/// Writes log events as lines to a descriptor.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    private let descriptor: Descriptor
    private let format: LogFormat

    init(_ descriptor: Descriptor, format: LogFormat, level: Logger.Level) {
        self.descriptor = descriptor
        self.format = format
        logLevel = level
    }

    /// A logger for the whole process.
    static func logger(_ descriptor: Descriptor, format: LogFormat, level: Logger.Level) -> Logger {
        Logger(label: "backupfs") { _ in LineLogHandler(descriptor, format: format, level: level) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        let text = Self.line(
            at: Date(), event.level, event.message.description, facts: facts, format: format)
        let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
        // A full disk must not stop the file system: a line that cannot be written is lost.
        _ = write(descriptor.number, bytes, bytes.count)
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

import ArgumentParser
import Logging

/// The level below which messages are not logged.
enum LogLevel: String, CaseIterable, ExpressibleByArgument, Sendable {
    case trace
    case debug
    case info
    case notice
    case warning
    case error

    /// All of them, for messages.
    static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// The same level as swift-log has it.
    var level: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}

/// The form of a line of the log.
enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// `2025-01-31T12:00:00.250Z warning message key=value`
    case text
    /// One JSON object a line.
    case json
}

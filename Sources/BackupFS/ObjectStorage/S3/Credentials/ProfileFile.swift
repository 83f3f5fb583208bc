// The files ~/.aws/credentials and ~/.aws/config, read as the AWS CLI reads them:
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
//
// Names of settings have no case, names of sections do. An indented line goes on with the setting above it; if that
// one's own value is empty, the indented lines are settings of their own below it. A line that starts with # or ; is a
// comment, and so is the rest of a line behind a space and one of them. Values are never quoted in an error: a line that
// cannot be read may hold a secret.

/// One file's sections.
struct ProfileFile: Sendable, Equatable {
    /// A section's settings: names in lower case; those of a nested one as `outer.inner`.
    typealias Section = [String: String]

    /// By the text between the brackets, spaces at its ends removed, runs of spaces within made one.
    private(set) var sections: [String: Section] = [:]

    init() {}

    /// Reads a file's text.
    ///
    /// Throws `.invalidSetting` with `path` and the line's number.
    init(_ text: String, path: String) throws(StoreConfigurationError) {
        var reader = Reader(path: path)
        let body = text.hasPrefix("\u{feff}") ? text.dropFirst() : text[...]
        for line in body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) { try reader.read(line) }
        sections = reader.sections
    }

    private struct Reader {
        let path: String
        var sections: [String: Section] = [:]
        private var number = 0
        private var section: String?
        /// The setting that an indented line goes on with, and how far that one was indented itself.
        private var setting: (name: String, indent: Int)?

        init(path: String) { self.path = path }

        mutating func read(_ line: Substring) throws(StoreConfigurationError) {
            number += 1
            let indent = line.prefix(while: \.isWhitespace).count
            let content = line.dropFirst(indent)
            guard let first = content.first, first != "#", first != ";" else { return }
            if let setting, let section, indent > setting.indent {
                return try goOn(content, section, setting.name)
            }
            guard first != "[" else { return try open(content) }
            guard let section else { throw failure("a setting before the first [section]") }
            let (name, value) = try split(content)
            let plain = name == "credential_process" ? value : uncommented(value)
            sections[section, default: [:]][name] = plain
            setting = (name, indent)
        }

        private mutating func open(_ content: Substring) throws(StoreConfigurationError) {
            guard let end = content.lastIndex(of: "]"), isBlankOrComment(content[content.index(after: end)...]) else {
                throw failure("a section without ] at its end")
            }
            let name = content[..<end].dropFirst().split(whereSeparator: \.isWhitespace).joined(separator: " ")
            guard !name.isEmpty else { throw failure("a section without a name") }
            section = name
            setting = nil
            sections[name] = sections[name] ?? [:]
        }

        private mutating func goOn(
            _ content: Substring, _ section: String, _ name: String
        ) throws(StoreConfigurationError) {
            let outer = sections[section]?[name] ?? ""
            guard outer.isEmpty else {
                let more = uncommented(String(content))
                sections[section]?[name] = outer + "\n" + more
                return
            }
            let (inner, value) = try split(content)
            let plain = uncommented(value)
            sections[section]?["\(name).\(inner)"] = plain
        }

        private func split(_ content: Substring) throws(StoreConfigurationError) -> (name: String, value: String) {
            guard let delimiter = content.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
                throw failure("neither [section] nor name = value")
            }
            let name = trimmed(content[..<delimiter]).lowercased()
            guard !name.isEmpty else { throw failure("a value without a name") }
            return (name, trimmed(content[content.index(after: delimiter)...]))
        }

        /// The value without a comment behind it.
        ///
        /// A command keeps all of its line: it may mean the sign.
        private func uncommented(_ value: String) -> String {
            var previous: Character?
            for (index, character) in zip(value.indices, value) {
                if character == "#" || character == ";", previous?.isWhitespace == true {
                    return trimmed(value[..<index])
                }
                previous = character
            }
            return value
        }

        private func isBlankOrComment(_ text: Substring) -> Bool {
            guard let first = text.first(where: { !$0.isWhitespace }) else { return true }
            return first == "#" || first == ";"
        }

        private func trimmed(_ text: Substring) -> String {
            var text = text.drop(while: \.isWhitespace)
            while text.last?.isWhitespace == true { text.removeLast() }
            return String(text)
        }

        private func failure(_ reason: String) -> StoreConfigurationError {
            .invalidSetting(name: path, reason: "line \(number) is \(reason)")
        }
    }
}

extension ProfileFile: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "ProfileFile(redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

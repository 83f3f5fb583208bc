/// Text that is safe to show on a terminal: control characters are written as `\u{1B}`.
///
/// Names of files and messages of servers come from others and must not move the cursor.
func terminalText(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
        default: result.append(scalar)
        }
    }
    return String(result)
}

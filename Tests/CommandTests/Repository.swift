import Foundation

/// The files of this repository, as text.
enum Repository {
    struct File {
        /// The last part of its path.
        var name: String
        var text: String
    }

    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The files at and below these paths whose content is text.
    static func files(in paths: [String]) -> [File] {
        paths.flatMap { path in
            let top = root.appending(path: path)
            let below = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil)?.allObjects ?? []
            return ([top] + below.compactMap { $0 as? URL }).compactMap { url in
                (try? String(contentsOf: url, encoding: .utf8)).map { File(name: url.lastPathComponent, text: $0) }
            }
        }
    }

    /// The text of each script by its name; what `test` does not know itself it hands to `swift test`.
    static var scripts: [String: String] {
        var scripts: [String: String] = [:]
        for file in files(in: ["mount-scripts", "Benchmarks", "Tests/Tools"]) { scripts[file.name] = file.text }
        // A script may have a package of its own beside it.
        for (name, text) in scripts {
            guard let package = text.firstMatch(of: /\nfrom (\w+)\.\w+ import/) else { continue }
            scripts[name]?.append(files(in: ["Tests/Tools/\(package.1)"]).map(\.text).joined())
        }
        scripts["test"]?.append(" --filter --skip --skip-build --sanitize ")
        return scripts
    }
}

/// Something in a document that is set as code.
struct CodeSpan {
    /// The document and the number of the line.
    var place: String
    var text: String

    /// All of a document: `...` in a line, and the lines of its blocks.
    static func all(in document: Repository.File) -> [CodeSpan] {
        var isBlock = false
        var spans: [CodeSpan] = []
        for (index, line) in document.text.components(separatedBy: "\n").enumerated() {
            let place = "\(document.name):\(index + 1)"
            if line.hasPrefix("```") {
                isBlock.toggle()
            } else if isBlock {
                let command = line.components(separatedBy: " # ")[0]
                spans.append(CodeSpan(place: place, text: command))
                if command != line {
                    spans += line.dropFirst(command.count).components(separatedBy: "; ").map {
                        CodeSpan(place: place, text: String($0.trimmingPrefix(/[ #]*/)))
                    }
                }
            } else {
                spans += line.matches(of: /`([^`]+)`/).map { CodeSpan(place: place, text: String($0.1)) }
            }
        }
        return spans
    }

    /// The first word without its folder, after variables that are set for it.
    var program: String {
        let words = text.split(separator: " ").drop { $0.contains(/^[A-Z0-9_]+=/) }
        return words.first.map { String($0.split(separator: "/").last ?? $0) } ?? ""
    }

    /// The script of this repository that is run; nil if it is another program.
    var script: String? {
        let isHere = text.contains(/(?:mount-scripts|Benchmarks|Tests\/Tools)\//) || program == "quickstart"
        return isHere ? program : nil
    }
}

/// The targets and suites of Tests and their tests, by the names that `swift test --filter` knows.
struct TestNames {
    private var tests: [String: Set<String>] = [:]

    init() {
        let folder = Repository.root.appending(path: "Tests").path
        for target in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] { tests[target] = [] }
        for file in Repository.files(in: ["Tests"]) {
            var suite = ""
            var isTest = false
            for line in file.text.components(separatedBy: "\n") {
                // Types begin at the margin, and functions below it.
                if line.first?.isLetter == true,
                    let type = line.prefixMatch(
                        of: /(?:(?:final|private) )*(?:struct|class|enum|extension|actor) (\w+)/)
                {
                    suite = String(type.1)
                }
                if line.contains("@Test") { isTest = true }
                if isTest, line.contains("func "), let function = line.firstMatch(of: /\bfunc (\w+)\(/) {
                    tests[suite, default: []].insert(String(function.1))
                    isTest = false
                }
            }
        }
    }

    /// Whether there is this suite, and this test in it.
    func has(_ suite: String, test: String?) -> Bool {
        guard let names = tests[suite] else { return false }
        return test.map(names.contains) ?? true
    }
}

extension String {
    /// Whether it has the word with nothing of the kind before or after it.
    func has(word: String) -> Bool {
        ranges(of: word).contains { range in
            let before = self[..<range.lowerBound].last
            let after = self[range.upperBound...].first
            return [before, after].allSatisfy { $0.map { !($0.isLetter || $0.isNumber || "_-".contains($0)) } ?? true }
        }
    }
}

import ArgumentParser
import Foundation
import Testing

@testable import Command

/// What README.md and docs/*.md name in code: tests, failpoints, options, scripts, files, variables.
@Suite("What the documents name exists")
struct DocumentationTests {
    private static let documents = Repository.files(in: ["README.md", "docs"]).filter { $0.name.hasSuffix(".md") }

    /// Every piece of code in the documents with where it is: `...` in a line, or a whole line of a block.
    private static let spans = documents.flatMap(CodeSpan.all(in:))

    @Test("tests: `SUITE`, `SUITE.NAME`, and `.NAME` for another one of the suite before it in the line")
    func tests() throws {
        let suites = TestNames()
        var checked = 0
        for line in Dictionary(grouping: Self.spans, by: \.place).values {
            var last: String?
            for word in line.flatMap({ $0.text.split(separator: ", ").map(String.init) }) {
                guard let name = word.wholeMatch(of: /(?:([A-Z]\w*(?:Test\w*|Contract)))?(?:\.([a-zA-Z]\w*))?/) else {
                    continue
                }
                last = name.1.map(String.init) ?? last
                guard let last else { continue }
                checked += 1
                let isKnown = suites.has(last, test: name.2.map(String.init))
                #expect(isKnown, "\(line[0].place): \(word) of \(last)")
            }
        }
        #expect(checked > 100)
    }

    @Test("failpoints: docs/DURABILITY.md has all of them, each with a point in the sources")
    func failpoints() throws {
        let sources = Repository.files(in: ["Sources"]).flatMap { file in
            file.text.matches(of: /(?:reach|pass)\("([a-z]+\.[a-z]+)"\)/).map { String($0.1) }
        }
        let durability = try #require(Self.documents.first { $0.name == "DURABILITY.md" }).text
        let section = durability.components(separatedBy: "## The failpoints").last?.components(separatedBy: "\n## ")
            .first
        let table = try #require(section).matches(of: /\n\| `([a-z]+\.[a-z]+)` \|/).map { String($0.1) }
        #expect(Set(table).symmetricDifference(sources).isEmpty)
        for span in Self.spans {
            for chosen in span.text.matches(of: /([a-z]+\.[a-z]+)=(?:kill|error|delay)/) {
                #expect(sources.contains(String(chosen.1)), "\(span.place): \(span.text)")
            }
        }
    }

    @Test("options: of backupfs, or of the script that they are given to")
    func options() {
        let own = BackupFSCommand.configuration.subcommands.reduce(BackupFSCommand.helpMessage()) {
            $0 + BackupFSCommand.helpMessage(for: $1, includeHidden: true)
        }
        let scripts = Repository.scripts
        var checked = 0
        for span in Self.spans {
            let script = span.script
            // An option by itself, or after a command's name, is ours; programs of others answer for theirs.
            guard script != nil || ["backupfs", "mount"].contains(span.program) || span.program.hasPrefix("-") else {
                continue
            }
            for option in Set(span.text.matches(of: /(?:^|\s)(--[a-z][a-z0-9-]*)/).map { String($0.1) }) {
                checked += 1
                let isKnown = (script.flatMap { scripts[$0] } ?? own).has(word: option)
                #expect(isKnown, "\(span.place): \(option) in \(span.text)")
            }
        }
        #expect(checked > 40)
    }

    @Test("scripts and files: what has a path in the repository is there")
    func paths() {
        for document in Self.documents {
            for path in document.text.matches(of: /\b(?:mount-scripts|Benchmarks|docs|Tests|Sources)\/[\w\/+.-]*\w/) {
                let url = Repository.root.appending(path: String(path.0))
                let isThere = FileManager.default.fileExists(atPath: url.path)
                #expect(isThere, "\(document.name): \(path.0)")
            }
        }
    }

    @Test("variables: BACKUPFS_... is read somewhere")
    func variables() {
        let sources = Repository.files(in: ["Sources", "Tests", "mount-scripts", "Benchmarks"])
            .filter { $0.name != "DocumentationTests.swift" }
        for document in Self.documents {
            for name in Set(document.text.matches(of: /BACKUPFS_[A-Z0-9_]+/).map { String($0.0) }) {
                let isKnown = sources.contains { $0.text.has(word: name) }
                #expect(isKnown, "\(document.name): \(name)")
            }
        }
    }
}

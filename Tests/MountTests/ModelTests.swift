// Random steps in the mount and in a native directory: each must return the same, and leave the same.

import Foundation
import Glibc
import Testing

private let environment = ProcessInfo.processInfo.environment

/// How many steps; BACKUPFS_TEST_OPERATIONS sets it.
private let stepCount = environment["BACKUPFS_TEST_OPERATIONS"].flatMap(Int.init) ?? 20_000

/// Which steps; printed by each run, and repeated with BACKUPFS_TEST_SEED.
private let seed = environment["BACKUPFS_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1_000_000)

/// The two sides differ.
private struct Difference: Error, CustomStringConvertible {
    var description: String
}

/// The mount, the model, and the steps so far.
private struct ModelRun {
    private let sandbox: Sandbox
    private let mount: ModelSide
    private let model: ModelSide
    private var generator: ModelGenerator
    private var history: [String] = []
    private let started = Int(time(nil)) - 1

    init(_ sandbox: Sandbox) throws {
        self.sandbox = sandbox
        try makeDirectory(sandbox.scratch("model"))
        mount = ModelSide(sandbox.mountPoint)
        model = ModelSide(sandbox.scratch("model"))
        generator = ModelGenerator(seed: seed)
    }

    mutating func run() throws {
        for count in 1...stepCount {
            let step = generator.next()
            let expected = model.perform(step)
            let result = mount.perform(step)
            history.append("\(count) \(step): \(expected)")
            guard result == expected else { throw difference("the mount says \(result)") }
            if count % 20 == 0 { try compare(withContent: count % 200 == 0) }
            if count % 500 == 0 { try loseMainCopies() }
            if count % 2500 == 0 { try remount() }
        }
        mount.closeAll()
        model.closeAll()
        try compare(withContent: true)
    }

    private func difference(_ what: String) -> Difference {
        Difference(
            description: "BACKUPFS_TEST_SEED=\(seed): \(what), after\n" + history.suffix(25).joined(separator: "\n"))
    }

    private mutating func compare(withContent: Bool) throws {
        let expected = try ModelTree(model.root, started: started, withContent: withContent)
        let found = try ModelTree(mount.root, started: started, withContent: withContent)
        generator.existing = expected.paths
        guard found.lines != expected.lines else { return }
        let missing = expected.lines.subtracting(found.lines).sorted().joined(separator: "\n  ")
        let wrong = found.lines.subtracting(expected.lines).sorted().joined(separator: "\n  ")
        throw difference("expected\n  \(missing)\nfound\n  \(wrong)\n")
    }

    /// Somebody removes every other file from main; what is open keeps its copy until it is closed.
    private mutating func loseMainCopies() throws {
        let open = mount.openInodes
        let tree = try ModelTree(mount.root, started: started, withContent: false)
        for file in tree.files where !open.contains(file.inode) && generator.number(below: 2) == 0 {
            unlink(sandbox.mainPath(file.path))
        }
        history.append("main copies are lost")
        try compare(withContent: true)
    }

    private mutating func remount() throws {
        mount.closeAll()
        model.closeAll()
        try sandbox.stop()
        try sandbox.start()
        history.append("mounted again")
        try compare(withContent: true)
    }
}

@Suite("The mount and a native directory")
struct ModelTests {
    @Test("Random steps return the same and leave the same as in a native directory")
    func randomSteps() async throws {
        print("Model test: \(stepCount) steps, BACKUPFS_TEST_SEED=\(seed)")
        try await Sandbox.run(.directory, patience: .seconds(900 + stepCount / 20)) { sandbox in
            var run = try ModelRun(sandbox)
            try run.run()
            try sandbox.settle()
            let left = try sandbox.leftovers()
            #expect(left.isEmpty, "BACKUPFS_TEST_SEED=\(seed): \(left)")
        }
    }
}

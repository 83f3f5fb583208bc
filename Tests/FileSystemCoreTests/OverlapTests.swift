// Changes that overlap uploads and recoveries of the same file: what is committed is one state that the file had, and
// what comes later is uploaded later.

import Dispatch
import Linux
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Writes that overlap other work on the file")
struct OverlapTests {
    @Test("I1: a file that is changed before its upload has read it is uploaded as it is then")
    func changedBeforeItIsRead() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            // Half of it: a mixture of both must never be taken for the first or the second.
            try await system.put(handle, Array(photo(2).prefix(2500)))
            gate.open()
            try await close
            let expected = Array(photo(2).prefix(2500)) + photo(1).dropFirst(2500)
            try await system.core.flush(handle)
            #expect(try system.inBackup("a.jpg") == expected)
            system.core.close(handle)
            try await system.settle()
            #expect(system.keys.count == 1)
        }
    }

    @Test("I1: a change after an upload has read the file is not taken for backed up")
    func changedAfterItWasRead() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let first: Void = system.core.flush(handle)
            await gate.reached()
            try await system.put(handle, photo(2))
            async let second: Void = system.core.flush(handle)
            gate.open()
            _ = try await (first, second)
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(try system.row("a.jpg")?.needsUpload == false)
            system.core.close(handle)
            try await system.settle()
            #expect(system.keys == [try system.key("a.jpg")])
        }
    }

    @Test("A close that a delete overtakes has nothing to back up, and succeeds")
    func deletedBeforeTheUploadBegins() async throws {
        try await TestFileSystem.run { system in
            let core = system.core
            for _ in 0..<5 {
                let handle = try system.create("a.jpg")
                try await system.put(handle, photo(1))
                let isReading = DispatchSemaphore(value: 0)
                core.catalogue.record(
                    "a delete that takes long",
                    CatalogueChange { transaction throws(CatalogueError) in
                        _ = try transaction.delete(Dentry(.root, Array("a.jpg".utf8)), directory: false, now: 1)
                        isReading.wait()
                    })
                async let close: Void = core.flush(handle)
                try await system.eventually("the upload has begun") { handle.file.isUnderWay(.upload) }
                // Long enough to have read the row, most of the time; the close succeeds in any case.
                try await Task.sleep(for: .milliseconds(50))
                isReading.signal()
                try await close
                core.close(handle)
            }
            #expect(system.uploads.isEmpty)
        }
    }

    @Test("A time that is set while an upload is under way is kept")
    func timeSetDuringUpload() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            _ = try system.core.setAttributes(handle.file.id, AttributeChanges(modified: .to(1_000_000_000)))
            gate.open()
            try await close
            try system.commitRecords()
            system.core.intents.finish()
            let row = try #require(try system.row("a.jpg"))
            #expect(row.modified == 1_000_000_000 && row.mainModified == 1_000_000_000)
            system.core.close(handle)
        }
    }

    @Test(
        "I4: what is changed behind the mount during the upload is found damaged at the next open, not taken for the file"
    )
    func changedBehindDuringUpload() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            try system.plant("a.jpg", photo(2))
            gate.open()
            try await close
            // While it is open, too.
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside() == [photo(2)])
            system.core.close(handle)
        }
    }

    @Test("I1: of a file that never rests one whole state is committed, and the next close uploads the rest")
    func neverResting() async throws {
        try await TestFileSystem.run { system in
            let gates = (0..<4).map { _ in Gate() }
            for gate in gates { system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"), count: 1) }
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(0))
            async let close: Void = system.core.flush(handle)
            for (index, gate) in gates.enumerated() {
                await gate.reached()
                try await system.put(handle, photo(index + 1))
                gate.open()
            }
            try await close
            // The fourth attempt took a private copy, as the file was before the last change.
            #expect(try system.inBackup("a.jpg") == photo(3))
            #expect(try system.row("a.jpg")?.needsUpload == true)
            #expect(!system.core.isClean(handle))
            #expect(try system.staged().isEmpty)
            try await system.core.flush(handle)
            #expect(try system.inBackup("a.jpg") == photo(4))
            system.core.close(handle)
            try await system.settle()
            #expect(system.keys.count == 1)
        }
    }

    @Test(
        "Write.4: emptying a file whose main copy is missing fetches nothing, and backup gets the empty version",
        arguments: [false, true])
    func emptiedWithoutMain(byTruncate: Bool) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            if byTruncate {
                try await system.core.truncate(system.id("a.jpg"), to: 0)
            } else {
                // O_TRUNC
                try await system.write("a.jpg", [])
            }
            #expect(system.downloads == 0)
            #expect(system.inMain("a.jpg") == [])
            #expect(try system.inBackup("a.jpg") == [])
            #expect(try await system.read("a.jpg") == [])
        }
    }

    @Test("Write.4: emptying a file while a recovery of it is under way wins", arguments: [false, true])
    func truncationBeatsRecovery(oldVersionIsGone: Bool) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            let gate = Gate()
            if oldVersionIsGone {
                system.store.inject(.hold(gate), on: [.get])
            } else {
                system.store.inject(.holdAnswer(gate), on: [.get])
            }
            let reader = try await system.open("a.jpg")
            async let recovery: Void = system.core.recover(reader.file)
            await gate.reached()
            let writer = try await system.open("a.jpg", writing: true, truncating: true)
            try await system.core.flush(writer)
            if oldVersionIsGone { try await system.settle() }
            gate.open()
            try await recovery
            #expect(try await system.content(reader) == [])
            system.core.close(writer)
            system.core.close(reader)
            try await system.settle()
            let row = try #require(try system.row("a.jpg"))
            #expect(row.inBackup && row.inMain && row.size == 0)
            #expect(system.inMain("a.jpg") == [])
            #expect(try system.inBackup("a.jpg") == [])
            #expect(try system.staged().isEmpty)
            #expect(try await system.read("a.jpg") == [])
        }
    }

    @Test("Write.4: emptying a file wins also over a recovery that ends just before the empty copy is in main")
    func truncationBeatsAFasterRecovery() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.get])
            let core = system.core
            let reader = try await system.open("a.jpg")
            async let recovery: Void = core.recover(reader.file)
            await gate.reached()
            // The truncation announces its change, and waits there until the recovered copy is in main.
            let recovered = DispatchSemaphore(value: 0)
            core.catalogue.record("a long one", CatalogueChange { (_) throws(CatalogueError) in recovered.wait() })
            let truncation = Task(executorPreference: BlockingExecutor.shared) {
                try await system.open("a.jpg", writing: true, truncating: true)
            }
            try await system.eventually("the change is announced") { reader.file.needsUpload }
            gate.open()
            do {
                try await system.eventually("the copy is in main") { system.inMain("a.jpg") != nil }
            } catch {
                Issue.record("\(error)")
            }
            recovered.signal()
            try await recovery
            let writer = try await truncation.value
            try await core.flush(writer)
            core.close(writer)
            core.close(reader)
            #expect(system.inMain("a.jpg") == [])
            #expect(try system.inBackup("a.jpg") == [])
        }
    }

    @Test("Write.4: a write into a file whose main copy is missing keeps the rest of it")
    func writeFetchesFirst() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            let handle = try await system.open("a.jpg", writing: true)
            try await system.put(handle, [1, 2, 3], at: 10)
            try await system.core.flush(handle)
            system.core.close(handle)
            let expected = Array(photo(1).prefix(10)) + [1, 2, 3] + photo(1).dropFirst(13)
            #expect(try system.inBackup("a.jpg") == expected)
            #expect(system.inMain("a.jpg") == expected)
        }
    }

    @Test("Rename.1: a file that is renamed while its upload is under way is backed up under its new name")
    func renamedDuringUpload() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            try system.rename("a.jpg", "b.jpg")
            gate.open()
            try await close
            system.core.close(handle)
            #expect(try system.row("a.jpg") == nil)
            #expect(try system.inBackup("b.jpg") == photo(1))
            #expect(system.inMain("b.jpg") == photo(1) && system.inMain("a.jpg") == nil)
        }
    }

    @Test("A time that is being set while an upload looks at main's copy is the file's")
    func timeDuringUpload() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            let time: Nanoseconds = 1_000_000_000_000_000_000
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            // The row has it, and main's copy not yet, when the upload looks at both.
            handle.file.timesChange()
            _ = try system.core.catalogue.change(
                .powerLoss,
                .setAttributes(handle.file.id, list: AccessControlList.access, now: time) { row, list in
                    AttributeChanges(modified: .to(time)).applied(to: row, list: list, now: time)
                })
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            handle.file.timesChanged()
            gate.open()
            try await close
            #expect(try system.row(handle.file.id).modified == time)
            system.core.close(handle)
        }
    }
}

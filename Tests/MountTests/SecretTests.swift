// Secrets stay in the daemon's memory.

import Foundation
import Glibc
import Testing

@Suite("Secrets")
struct SecretTests {
    /// Finds the process that serves a mount without `--foreground`.
    private static func daemon(of main: String) throws -> pid_t? {
        for entry in try names(in: "/proc") {
            guard let process = pid_t(entry), let words = try? readFile("/proc/\(process)/cmdline") else { continue }
            let text = String(decoding: words, as: UTF8.self)
            if text.contains(main), text.hasPrefix("backupfs\0mount\0") { return process }
        }
        return nil
    }

    private static func expectNoCore(_ process: pid_t) throws {
        let limits = String(decoding: try readFile("/proc/\(process)/limits"), as: UTF8.self)
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        let words = line?.split(separator: " ").map(String.init) ?? []
        #expect(words == ["Max", "core", "file", "size", "0", "0", "bytes"])
    }

    @Test("S1: neither a daemon nor a mount in the foreground may leave a core file, nor has arguments with secrets")
    func noCore() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try Self.expectNoCore(try sandbox.daemonProcess())
        }
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let keys = ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "CANARY"]
            try sandbox.run(
                [
                    "bash", "-c", "ulimit -c unlimited; exec \"$@\"", "-", backupfs, "mount", sandbox.main,
                    sandbox.mountPoint,
                ]
                    + ["--backup", sandbox.backup.url], environment: keys)
            defer { _ = try? sandbox.outcome([backupfs, "unmount", sandbox.mountPoint]) }
            let process = try #require(try Self.daemon(of: sandbox.main))
            try Self.expectNoCore(process)
            let words = String(decoding: try readFile("/proc/\(process)/cmdline"), as: UTF8.self)
            #expect(!words.contains("CANARY"))
            for name in try names(in: sandbox.mainPath(".backupfs")) {
                guard let bytes = try? readFile(sandbox.mainPath(".backupfs/\(name)")) else { continue }
                #expect(!String(decoding: bytes, as: UTF8.self).contains("CANARY"), "\(name)")
            }
        }
    }
}

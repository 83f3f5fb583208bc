import FileSystemCore
import Foundation
import Glibc
import Linux
import Testing

@testable import Command

@Suite("Settings")
struct SettingsTests {
    private static let main = BytePath("/main")

    private static func resolve(
        _ given: BackupSettings, environment: [String: String] = [:], remembered: BackupSettings? = nil
    ) throws -> BackupSettings {
        try BackupSettings.resolve(given: given, environment: environment, remembered: remembered, main: main)
    }

    @Test("what was given wins over the environment, and that over what was remembered")
    func precedence() throws {
        let remembered = BackupSettings(
            backup: "s3://b/p", endpoint: "https://old", region: "old", transfers: 4,
            closeTimeout: DurationArgument(seconds: 30))
        let settings = try Self.resolve(
            BackupSettings(endpoint: "https://given"),
            environment: [
                "AWS_ENDPOINT_URL": "https://environment", "AWS_REGION": "", "AWS_DEFAULT_REGION": "environment",
            ],
            remembered: remembered)
        #expect(
            settings
                == BackupSettings(
                    backup: "s3://b/p", endpoint: "https://given", region: "environment", transfers: 4,
                    closeTimeout: DurationArgument(seconds: 30)))
        let environment = ["AWS_ENDPOINT_URL_S3": "https://s3", "AWS_ENDPOINT_URL": "https://all"]
        #expect(try Self.resolve(remembered, environment: environment, remembered: nil).endpoint == "https://old")
        #expect(
            try Self.resolve(BackupSettings(), environment: environment, remembered: remembered).endpoint
                == "https://s3")
    }

    @Test("a profile takes the place of a remembered password file, and the other way round; both at once are refused")
    func identity() throws {
        let file = BackupSettings(backup: "s3://b", addressing: .path, passwdFile: "/f")
        let profile = BackupSettings(backup: "s3://b", addressing: .path, profile: "p")
        #expect(try Self.resolve(BackupSettings(profile: "p"), remembered: file) == profile)
        #expect(try Self.resolve(BackupSettings(passwdFile: "/f"), remembered: profile) == file)
        #expect(try Self.resolve(BackupSettings(), remembered: profile) == profile)
        #expect(throws: PreflightFailure.self) {
            try Self.resolve(BackupSettings(backup: "s3://b", passwdFile: "/f", profile: "p"))
        }
    }

    @Test("a directory as backup storage takes nothing from the AWS environment")
    func directory() throws {
        let settings = try Self.resolve(BackupSettings(backup: "file:///disk"), environment: ["AWS_REGION": "x"])
        #expect(settings == BackupSettings(backup: "file:///disk"))
    }

    @Test("the first mount must say where to back up, and no later one elsewhere")
    func backup() throws {
        #expect(throws: PreflightFailure.nothingToBackUpTo(main: Self.main)) { try Self.resolve(BackupSettings()) }
        let remembered = BackupSettings(backup: "s3://b/p")
        #expect(
            throws: PreflightFailure.otherBackup(main: Self.main, remembered: "s3://b/p", given: "s3://b/q")
        ) { try Self.resolve(BackupSettings(backup: "s3://b/q"), remembered: remembered) }
        #expect(try Self.resolve(BackupSettings(backup: "s3://b/p/"), remembered: remembered).backup == "s3://b/p")
    }

    @Test(
        "a URL with credentials is refused before it is remembered",
        arguments: ["https://key:secret@s3", "http://a@b/c"])
    func secrets(endpoint: String) {
        #expect(throws: PreflightFailure.self) {
            try Self.resolve(BackupSettings(backup: "s3://b", endpoint: endpoint))
        }
    }

    @Test("the configuration comes back as it was written, private, and replaces the one before")
    func configuration() throws {
        let directory = try TemporaryDirectory()
        let state = try directory.directory(".backupfs")
        #expect(try ConfigurationFile.read(main: directory.path) == nil)
        let opened = try Descriptor(taking: state.withCString { open($0, O_RDONLY | O_DIRECTORY) }, from: "open")
        let settings = BackupSettings(
            backup: "s3://b/p", endpoint: "https://e", region: "r", caBundle: "/c", addressing: .virtual, profile: "p",
            transfers: 3,
            closeTimeout: DurationArgument(seconds: 90), whenBackupIsDown: .fail, allowInsecure: true)
        for one in [BackupSettings(backup: "s3://b"), settings] {
            try ConfigurationFile.write(one, directory: opened.number)
            #expect(try ConfigurationFile.read(main: directory.path) == one)
        }
        #expect(try state.appending(ConfigurationFile.name).status().st_mode & 0o777 == 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: String(decoding: state.bytes, as: UTF8.self))
        #expect(names == [ConfigurationFile.name])
    }

    @Test(
        "a configuration that is none of ours is refused, not ignored",
        arguments: ["", "{}", "[]", #"{"format":2,"settings":{}}"#, #"{"format":1,"settings":{"transfers":"x"}}"#])
    func damaged(text: String) throws {
        let directory = try TemporaryDirectory()
        _ = try directory.directory(".backupfs")
        _ = try directory.file(".backupfs/config.json", text)
        #expect(throws: PreflightFailure.self) { try ConfigurationFile.read(main: directory.path) }
    }
}

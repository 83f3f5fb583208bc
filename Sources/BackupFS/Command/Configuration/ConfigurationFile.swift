import FileSystemCore
import FoundationEssentials
import Glibc
import Linux

/// `config.json` in the state directory: what the first mount was told, for the later ones.
enum ConfigurationFile {
    /// The file's name in the state directory.
    static let name = "config.json"
    private static let temporaryName = "config.json.new"
    /// A file beyond this many bytes is none of ours.
    private static let sizeLimit = 65_536

    /// What the file holds: a format number beside the settings.
    private struct Contents: Codable {
        var format: Int
        var settings: BackupSettings
    }

    /// What was remembered for `main`; nil if nothing was yet.
    static func read(main: BytePath) throws(PreflightFailure) -> BackupSettings? {
        let path = main.appending(ControlProtocol.stateDirectoryName).appending(name)
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readWhole(path, limit: sizeLimit)
        } catch {
            if error.code == ENOENT { return nil }
            throw .unreadableConfiguration(path, reason: error.reason)
        }
        do {
            let contents = try JSONDecoder().decode(Contents.self, from: Data(bytes))
            guard contents.format == 1 else {
                throw PreflightFailure.unreadableConfiguration(path, reason: "format \(contents.format) is not known")
            }
            return contents.settings
        } catch let error as PreflightFailure {
            throw error
        } catch {
            throw .unreadableConfiguration(path, reason: "not a configuration of BackupFS")
        }
    }

    /// Remembers `settings` in the open state directory: whole or not at all, and durable when it returns.
    static func write(_ settings: BackupSettings, directory: Int32) throws(SystemError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(Contents(format: 1, settings: settings)) else {
            throw SystemError("encoding the configuration", EINVAL)
        }
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC
        let file = try Descriptor(taking: openat(directory, temporaryName, flags, 0o600), from: "open")
        var rest = [UInt8](json) + [UInt8(ascii: "\n")]
        while !rest.isEmpty {
            let count = Glibc.write(file.number, rest, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write") }
            rest.removeFirst(count)
        }
        guard fsync(file.number) == 0 else { throw SystemError("fsync") }
        guard renameat(directory, temporaryName, directory, name) == 0 else { throw SystemError("rename") }
        guard fsync(directory) == 0 else { throw SystemError("fsync") }
    }
}

// What the two files of the AWS tools say about one profile. The credentials file names a profile [NAME], the config file
// [profile NAME], but for [default]. Where both have a setting, the credentials file wins.

import Glibc
import Linux

/// The profiles of the AWS tools.
struct Profiles: Sendable {
    private static let longest = 1 << 20

    let credentialsPath: String
    let configPath: String
    private var credentials = ProfileFile()
    private var config = ProfileFile()

    /// Reads both files, at AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE or in ~/.aws; one that is not there is empty.
    ///
    /// Throws `.invalidSetting`. Their permissions are not looked at, as the AWS tools do not.
    init(environment: [String: String]) throws(StoreConfigurationError) {
        func path(_ variable: String, _ usual: String) -> String {
            let text = environment[variable].flatMap { $0.isEmpty ? nil : $0 } ?? usual
            return text == "~" || text.hasPrefix("~/") ? Self.home(environment) + text.dropFirst() : text
        }
        credentialsPath = path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
        configPath = path("AWS_CONFIG_FILE", "~/.aws/config")
        credentials = try Self.read(credentialsPath)
        config = try Self.read(configPath)
    }

    /// What the credentials file says.
    func inCredentials(_ profile: String) -> ProfileFile.Section? { credentials.sections[profile] }

    /// What the config file says.
    func inConfig(_ profile: String) -> ProfileFile.Section? {
        // A default profile may be written either way; the one that says that it is a profile wins.
        let plain = profile == "default" ? config.sections["default"] : nil
        return config.sections["profile \(profile)"] ?? config.sections["profile \"\(profile)\""] ?? plain
    }

    /// What both say; nil if neither knows the profile.
    func settings(_ profile: String) -> ProfileFile.Section? {
        guard let first = inCredentials(profile) else { return inConfig(profile) }
        return (inConfig(profile) ?? [:]).merging(first) { $1 }
    }

    /// The endpoint that a profile has for a service (`s3`, `sts`): the one in its services section, else its general one.
    func endpoint(of service: String, in profile: ProfileFile.Section) -> String? {
        let services = profile["services"].flatMap { config.sections["services \($0)"] }
        return services?["\(service).endpoint_url"] ?? profile["endpoint_url"]
    }

    /// The error for a profile that somebody named.
    func unknown(_ profile: String) -> StoreConfigurationError {
        .invalidSetting(name: "the profile \(profile)", reason: "neither \(credentialsPath) nor \(configPath) has it")
    }

    private static func home(_ environment: [String: String]) -> String {
        if let home = environment["HOME"], !home.isEmpty { return home }
        guard let entry = getpwuid(geteuid()), let directory = entry.pointee.pw_dir else { return "" }
        return String(cString: directory)
    }

    private static func read(_ path: String) throws(StoreConfigurationError) -> ProfileFile {
        guard let bytes = try SecretFile.contents(path, longest: longest) else { return ProfileFile() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalidSetting(name: path, reason: "it is no UTF-8 text")
        }
        return try ProfileFile(text, path: path)
    }
}

/// Files with credentials in them: small, and changed while we run.
enum SecretFile {
    /// The bytes of a regular file; nil if there is none.
    ///
    /// Throws `.invalidSetting` if it is something else, longer than `longest` bytes, or cannot be read.
    static func contents(_ path: String, longest: Int) throws(StoreConfigurationError) -> [UInt8]? {
        do throws(SmallFile.Failure) {
            return try SmallFile.read(path, longest: longest)
        } catch {
            if case .notOpened(let reason) = error {
                // A home directory that is somebody else's has no file for us.
                if [ENOENT, ENOTDIR].contains(reason) || reason == EACCES && access(path, F_OK) != 0 { return nil }
            }
            throw .invalidSetting(name: path, reason: "\(error)")
        }
    }
}

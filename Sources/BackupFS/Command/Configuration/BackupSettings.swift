// Where a main directory is backed up and how. A value comes from the command line, or else from the environment, or
// else from what the last mount remembered in MAIN/.backupfs/config.json. Secrets are in none of them.

import ObjectStorage

/// The settings of a main directory; nil where nothing was said.
struct BackupSettings: Codable, Equatable, Sendable {
    /// The backup storage: `s3://BUCKET[/PREFIX]` or `file:///directory`.
    var backup: String?
    /// The S3 server, like `https://ewr1.vultrobjects.com`.
    var endpoint: String?
    /// The S3 region.
    var region: String?
    /// A file of certificates to trust instead of the system's, absolute.
    var caBundle: String?
    /// Where the bucket's name goes: into the path or the host's name.
    var addressing: S3Addressing?
    /// A file with credentials, absolute; the file holds the secret, its path is none.
    var passwdFile: String?
    /// The profile of the AWS tools that has the credentials.
    var profile: String?
    /// How many requests to backup storage run at a time.
    var transfers: Int?
    /// How long a close may wait for backup storage.
    var closeTimeout: DurationArgument?
    /// What a close does while backup storage is down.
    var whenBackupIsDown: WhenBackupIsDown?
    /// Whether plain http may be used with a server that is not on this machine.
    var allowInsecure: Bool?
    /// How objects travel and are kept.
    var objects: ObjectSettings?

    /// What holds when nothing says how many transfers.
    static let defaultTransfers = 16
    /// What holds when nothing says how long a close may wait.
    static let defaultCloseTimeout = DurationArgument(seconds: 60)

    /// These settings, with those of `other` where these say nothing.
    ///
    /// Who we are is one setting: with a profile, no password file is taken over, and the other way round.
    func filled(from other: BackupSettings) -> BackupSettings {
        let saysWho = passwdFile != nil || profile != nil
        return BackupSettings(
            backup: backup ?? other.backup, endpoint: endpoint ?? other.endpoint, region: region ?? other.region,
            caBundle: caBundle ?? other.caBundle, addressing: addressing ?? other.addressing,
            passwdFile: saysWho ? passwdFile : other.passwdFile, profile: saysWho ? profile : other.profile,
            transfers: transfers ?? other.transfers, closeTimeout: closeTimeout ?? other.closeTimeout,
            whenBackupIsDown: whenBackupIsDown ?? other.whenBackupIsDown,
            allowInsecure: allowInsecure ?? other.allowInsecure,
            objects: objects?.filled(from: other.objects) ?? other.objects)
    }

    /// What the environment says, under the names that the AWS tools use.
    static func environment(_ environment: [String: String]) -> BackupSettings {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        return BackupSettings(
            endpoint: value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
            region: value("AWS_REGION", "AWS_DEFAULT_REGION"), caBundle: value("AWS_CA_BUNDLE"))
    }

    /// The settings that hold for a mount; a main directory's backup storage never changes.
    ///
    /// What only S3 needs is left out for a directory as backup storage.
    static func resolve(
        given: BackupSettings, environment: [String: String], remembered: BackupSettings?, main: BytePath
    ) throws(PreflightFailure) -> BackupSettings {
        if let before = remembered?.backup, let now = given.backup, normalised(before) != normalised(now) {
            throw .otherBackup(main: main, remembered: before, given: now)
        }
        guard let backup = given.backup ?? remembered?.backup else {
            throw .nothingToBackUpTo(main: main)
        }
        var settings = given
        if backup.hasPrefix("s3://") { settings = settings.filled(from: .environment(environment)) }
        settings = settings.filled(from: remembered ?? BackupSettings())
        settings.backup = remembered?.backup ?? backup
        guard settings.passwdFile == nil || settings.profile == nil else {
            throw .backupConfiguration("a password file and a profile are two answers to one question: leave one out")
        }
        try refuseSecrets(in: settings.endpoint, "the endpoint")
        try refuseSecrets(in: settings.backup, "the backup URL")
        return settings
    }

    /// The URL without the slashes at its end: both ways name the same place.
    private static func normalised(_ url: String) -> Substring {
        var rest = url[...]
        while rest.hasSuffix("/"), !rest.hasSuffix("://") { rest.removeLast() }
        return rest
    }

    /// A URL with a user in it would be remembered with the secret.
    private static func refuseSecrets(in url: String?, _ name: String) throws(PreflightFailure) {
        guard let url, let start = url.range(of: "://")?.upperBound else { return }
        guard !url[start...].prefix(while: { $0 != "/" }).contains("@") else {
            throw .backupConfiguration(
                "\(name) must not hold credentials: put them into the environment, a --passwd-file or a --profile")
        }
    }
}

extension S3Addressing: Codable {}

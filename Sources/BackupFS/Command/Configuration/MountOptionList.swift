// `-o` of mount(8): `name` and `name=value`, comma-separated. Some are ours, some are the kernel's, some are for mount(8)
// itself and arrive here all the same. An option that is none of them is refused: it may have been meant to protect data.

import ObjectStorage

/// The options of a mount that came with `-o`.
struct MountOptionList: Equatable, Sendable {
    /// Values of our own settings.
    var settings = BackupSettings()
    /// The level below which messages are not logged.
    var logLevel: LogLevel?
    /// The form of the log.
    var logFormat: LogFormat?
    /// How many threads answer the kernel.
    var maximumThreads: Int?
    /// Whether each change of a name or an attribute is on the disk when its call returns.
    var syncsNames = false
    /// Large files are sent while they are written.
    var sendsEarly = false
    /// Whether the kernel may read main copies itself.
    var passesThrough = true
    /// What goes on to the kernel and libfuse, in order.
    var fuse: [String] = []

    /// Passed on as they are.
    private static let passedOn: Set<String> = [
        "allow_other", "allow_root", "ro", "noatime", "nodiratime", "nosuid", "nodev", "noexec", "suid", "dev", "exec",
    ]
    /// Accepted and dropped: defaults, and what is meant for mount(8) and its callers.
    private static let dropped: Set<String> = [
        "defaults", "default_permissions", "rw", "async", "atime", "relatime", "auto", "noauto", "user", "nouser",
        "users",
        "owner", "group", "_netdev", "nofail", "nonempty",
    ]

    init() {}

    /// Reads the values of all `-o` on a command line; a later option wins over an earlier one.
    init(_ lists: [String]) throws(CommandError) {
        for list in lists {
            for option in Self.split(list) { try add(option) }
        }
    }

    private mutating func add(_ option: String) throws(CommandError) {
        let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts[0]
        guard parts.count == 2 else { return try addFlag(name) }
        guard !parts[1].isEmpty else { throw .wrongUsage("the mount option \(name)= has no value") }
        try add(name, parts[1])
    }

    private mutating func addFlag(_ name: String) throws(CommandError) {
        if name.isEmpty || name.hasPrefix("x-") || name.hasPrefix("X-") || Self.dropped.contains(name) { return }
        if Self.passedOn.contains(name) { return fuse.append(name) }
        switch name {
        case "allow-insecure", "allow_insecure": settings.allowInsecure = true
        case "use_path_request_style": settings.addressing = .path
        case "dirsync", "sync": syncsNames = true
        case "early_uploads": sendsEarly = true
        case "nopassthrough": passesThrough = false
        case "backup", "url", "endpoint", "region", "ca-bundle", "ca_bundle", "passwd-file", "passwd_file", "transfers",
            "profile", "addressing",
            "close-timeout", "close_timeout", "when-backup-is-down", "when_backup_is_down", "log-level", "log_level",
            "log-format", "log_format", "max_threads",
            _ where ObjectSettings.optionNames.contains(name):
            throw .wrongUsage("the mount option \(name) needs a value: -o \(name)=...")
        default: throw .wrongUsage("unknown mount option \(name): see \"backupfs help mount\"")
        }
    }

    private mutating func add(_ name: String, _ value: String) throws(CommandError) {
        if name.hasPrefix("x-") || name.hasPrefix("X-") || name == "comment" { return }
        if ObjectSettings.optionNames.contains(name) {
            var objects = settings.objects ?? ObjectSettings()
            try objects.set(name, value)
            settings.objects = objects
            return
        }
        switch name {
        case "backup": settings.backup = value
        case "endpoint", "url": settings.endpoint = value
        case "region": settings.region = value
        case "ca-bundle", "ca_bundle": settings.caBundle = value
        case "passwd-file", "passwd_file": settings.passwdFile = value
        case "profile": settings.profile = value
        case "addressing":
            guard let addressing = S3Addressing(rawValue: value) else {
                throw .wrongUsage("addressing=\(value) is neither path nor virtual")
            }
            settings.addressing = addressing
        case "transfers": settings.transfers = try Self.number(name, value, 1...256)
        case "max_threads": maximumThreads = try Self.number(name, value, 1...256)
        case "close-timeout", "close_timeout":
            guard let duration = DurationArgument(text: value) else {
                throw .wrongUsage("\(name)=\(value) is not a duration like 90s or 2m")
            }
            settings.closeTimeout = duration
        case "when-backup-is-down", "when_backup_is_down":
            guard let choice = WhenBackupIsDown(rawValue: value) else {
                throw .wrongUsage("\(name)=\(value) is none of fail, timeout and wait")
            }
            settings.whenBackupIsDown = choice
        case "log-level", "log_level":
            guard let level = LogLevel(rawValue: value) else {
                throw .wrongUsage("\(name)=\(value) is none of \(LogLevel.list)")
            }
            logLevel = level
        case "log-format", "log_format":
            guard let format = LogFormat(rawValue: value) else {
                throw .wrongUsage("\(name)=\(value) is neither text nor json")
            }
            logFormat = format
        case "use_path_request_style": settings.addressing = .path
        default: throw .wrongUsage("unknown mount option \(name)=\(value): see \"backupfs help mount\"")
        }
    }

    private static func number(
        _ name: String, _ value: String, _ range: ClosedRange<Int>
    ) throws(CommandError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw .wrongUsage("\(name)=\(value) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Splits at commas; a backslash keeps the character behind it.
    private static func split(_ list: String) -> [String] {
        var options = [""]
        var isKept = false
        for character in list {
            switch character {
            case "\\" where !isKept:
                isKept = true
                continue
            case "," where !isKept: options.append("")
            default: options[options.count - 1].append(character)
            }
            isKept = false
        }
        return options
    }
}

import ArgumentParser
import ObjectStorage

/// The options that say where and how to back up.
struct BackupOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("s3://BUCKET[/PREFIX], or file:///another/disk; remembered.", valueName: "url"))
    var backup: String?

    @Option(help: ArgumentHelp("The S3 server (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL).", valueName: "url"))
    var endpoint: String?

    @Option(help: ArgumentHelp("The S3 region (AWS_REGION, AWS_DEFAULT_REGION).", valueName: "name"))
    var region: String?

    @Option(help: ArgumentHelp("Certificates to trust instead of the system's (AWS_CA_BUNDLE).", valueName: "file"))
    var caBundle: String?

    @Option(help: ArgumentHelp("Credentials as KEY:SECRET, readable by its owner only.", valueName: "file"))
    var passwdFile: String?

    @Option(
        help: ArgumentHelp(
            "The profile in ~/.aws/credentials and ~/.aws/config (AWS_PROFILE).", valueName: "name"))
    var profile: String?

    @Option(help: "Where the bucket's name goes: into the path, or into the host's name; at AWS virtual, else path.")
    var addressing: S3Addressing?

    @Option(help: ArgumentHelp("Requests to backup storage at a time, 1 to 256.", valueName: "n"))
    var transfers: Int?

    @OptionGroup var objects: ObjectOptions

    @Flag(help: "Allow plain http to a server that is not this machine.")
    var allowInsecure = false

    mutating func validate() throws {
        if let transfers, !(1...256).contains(transfers) {
            throw ValidationError("--transfers \(transfers) is not a number from 1 to 256")
        }
        if passwdFile != nil, profile != nil {
            throw ValidationError("--passwd-file and --profile are two answers to one question: leave one out")
        }
    }

    /// What was given.
    var settings: BackupSettings {
        BackupSettings(
            backup: backup, endpoint: endpoint, region: region, caBundle: caBundle, addressing: addressing,
            passwdFile: passwdFile, profile: profile, transfers: transfers, allowInsecure: allowInsecure ? true : nil,
            objects: objects.settings)
    }
}

extension BackupSettings {
    /// The settings with their files' paths made absolute: they are remembered, and a daemon works in another directory.
    var withAbsolutePaths: BackupSettings {
        var settings = self
        func absolute(_ path: String) -> String {
            String(decoding: BytePath(argument: path).absolute().bytes, as: UTF8.self)
        }
        settings.caBundle = caBundle.map(absolute)
        settings.passwdFile = passwdFile.map(absolute)
        settings.objects = objects?.withPaths(absolute)
        return settings
    }
}

extension S3Addressing: ExpressibleByArgument {}

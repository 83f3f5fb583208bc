import ArgumentParser

/// `backupfs`: the root of all commands.
struct BackupFSCommand: ParsableCommand {
    /// The version of this program.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "backupfs",
        abstract: "A file system that backs every file up before close returns.",
        discussion: """
            PATH is a main directory, a mount point, or anything beneath one.
            "backupfs MAIN MOUNTPOINT -o OPTIONS" is the form that fstab uses: type fuse.backupfs.
            Credentials are found as the AWS CLI finds them (AWS_ACCESS_KEY_ID, profiles, roles), or in a --passwd-file.
            """,
        version: "backupfs \(version)",
        subcommands: [
            MountCommand.self, UnmountCommand.self, StatusCommand.self, InfoCommand.self, LeftoversCommand.self,
            CleanCommand.self, AsideCommand.self, SyncCommand.self, CheckCommand.self, RestoreCommand.self,
            ExportCommand.self, DrillCommand.self,
            SnapshotCommand.self,
        ])
}

/// The option of every command that answers with data.
struct JSONOption: ParsableArguments {
    @Flag(help: "Answer with one line of JSON; its keys are stable.")
    var json = false
}

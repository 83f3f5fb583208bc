import FileSystemCore
import Linux

/// What a mount is going to do, once everything was looked at that can be without opening anything.
struct MountPlan: Sendable {
    /// The directories.
    let places: Preflight
    /// The settings that hold.
    let settings: BackupSettings
    /// Whether the main directory has a catalogue.
    let hasCatalogue: Bool
    /// Whether the main directory has a state directory, with a catalogue or without.
    let hadState: Bool
    /// The main directory's path as text.
    let mainText: String
    /// The mount point's path as text.
    let mountPointText: String

    /// Refuses what cannot work.
    init(
        _ request: MountRequest, environment: [String: String], mounts: MountTable? = nil
    ) throws(PreflightFailure) {
        let table: MountTable
        do throws(SystemError) {
            if let mounts { table = mounts } else { table = try MountTable.current() }
        } catch {
            throw .mount("the mounts of this machine cannot be listed (\(error))")
        }
        places = try Preflight(main: request.main, mountPoint: request.mountPoint, mounts: table)
        mainText = try places.mainText
        mountPointText = try places.mountPointText
        let remembered = try ConfigurationFile.read(main: places.main)
        settings = try BackupSettings.resolve(
            given: request.given, environment: environment, remembered: remembered, main: places.main)
        hasCatalogue = try places.hasCatalogue(remembered: remembered)
        hadState = (try? places.main.appending(ControlProtocol.stateDirectoryName).status()) != nil
        try places.checkBackup(settings.backup ?? "")
        try Preflight.checkFuse()
    }
}

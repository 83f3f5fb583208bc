// mount(8) and mount.fuse3(8) run `backupfs MAIN MOUNTPOINT -o ...`: no subcommand. Everything else names one.

/// The command line as mount(8) gives it.
enum FstabForm {
    /// The arguments, with `mount --from-fstab` in front where they are in fstab's form.
    ///
    /// They are if the first one is a path (it holds a slash) or an option of `mount`.
    static func normalised(_ arguments: [String]) -> [String] {
        guard let first = arguments.first else { return arguments }
        let general = ["-h", "--help", "--version"]
        let isOption = first.hasPrefix("-") && !general.contains { first.hasPrefix($0) }
        return isOption || first.contains("/") ? ["mount", "--from-fstab"] + arguments : arguments
    }
}

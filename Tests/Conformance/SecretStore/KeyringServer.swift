import Foundation
import Testing

/// A bus that starts nobody by itself, and a real keyring on it. Ends with its last reference.
final class KeyringServer {
    let folder: String
    var address: String { "unix:path=\(folder)/bus" }
    private let bus: Process
    private var daemon: Process?

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/bks-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let policy = ["send", "receive"].flatMap { way in
            ["method_call", "method_return", "error", "signal"].map { type in
                let requested =
                    way == "send" && (type == "method_return" || type == "error") ? "send_requested_reply=\"true\" " : ""
                return "<allow \(requested)\(way)_type=\"\(type)\"/>"
            }
        }
        let text = """
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:path=\(folder)/bus</listen><auth>EXTERNAL</auth>
            <policy context="default">\(policy.joined())<allow own="org.freedesktop.secrets"/><allow own="org.gnome.keyring"/></policy>
            </busconfig>
            """
        try text.write(toFile: folder + "/bus.conf", atomically: true, encoding: .utf8)
        bus = Process()
        bus.executableURL = URL(fileURLWithPath: "/usr/bin/dbus-daemon")
        bus.arguments = ["--config-file=\(folder)/bus.conf", "--nofork", "--nopidfile"]
        try Self.start(bus, folder)
        try Self.until("the bus") { [folder] in FileManager.default.fileExists(atPath: folder + "/bus") }
        try startDaemon()
    }

    deinit {
        endDaemon()
        Self.end(bus)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A daemon with the right password; what was stored before is there.
    func startDaemon(password: String = "a password") throws {
        let daemon = Process()
        daemon.executableURL = URL(fileURLWithPath: "/usr/bin/gnome-keyring-daemon")
        daemon.arguments = ["--foreground", "--unlock", "--replace", "--components=secrets"]
        let input = Pipe()
        daemon.standardInput = input
        try Self.start(daemon, folder)
        input.fileHandleForWriting.write(Data(password.utf8))
        try input.fileHandleForWriting.close()
        self.daemon = daemon
        try Self.until("the keyring") { [folder] in
            Self.send(folder, "NameHasOwner", "string:org.freedesktop.secrets").contains("boolean true")
        }
    }

    func endDaemon() {
        if let daemon { Self.end(daemon) }
        daemon = nil
    }

    /// A child inherits what signals its parent's thread blocks: only this one reaches it for sure.
    private static func end(_ process: Process) {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Replaces the value of one item by something else, as any program of the same user can.
    func overwrite(_ name: String, with text: String) throws {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/secret-tool")
        // The schema is an attribute like the others here, and so replaces the item.
        tool.arguments = [
            "store", "--label=x", "xdg:schema", "com.bulkhead.Credential", "service", "bulkhead", "name", name,
        ]
        let input = Pipe()
        tool.standardInput = input
        try Self.start(tool, folder)
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        tool.waitUntilExit()
        #expect(tool.terminationStatus == 0)
    }

    private static func start(_ process: Process, _ folder: String) throws {
        var environment = ProcessInfo.processInfo.environment
        environment["HOME"] = folder
        environment["XDG_RUNTIME_DIR"] = folder
        environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=\(folder)/bus"
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    private static func send(_ folder: String, _ method: String, _ argument: String) -> String {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/dbus-send")
        tool.arguments = [
            "--bus=unix:path=\(folder)/bus", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus",
            "org.freedesktop.DBus.\(method)", argument,
        ]
        let output = Pipe()
        tool.standardOutput = output
        tool.standardError = FileHandle.nullDevice
        do {
            try tool.run()
        } catch {
            return ""
        }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        tool.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func until(_ what: String, _ look: () -> Bool) throws {
        let end = Date().addingTimeInterval(20)
        while !look() {
            guard Date() < end else { throw NotThere(what: what) }
            usleep(20_000)
        }
    }

    struct NotThere: Error { var what: String }
}

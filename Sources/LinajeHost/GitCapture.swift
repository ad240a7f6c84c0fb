package import LinajeDomain

/// The state of the Git work tree around a folder.
package enum GitCapture {
    /// Where the difference stands among the artifacts of a run.
    package static let diffArtifact = "linaje/diff.patch"
    private static let diffBytes = 16 << 20

    /// The state, and the patch of what is not committed; `nil` outside of a work tree. Blocks.
    ///
    /// - Parameter environment: "NAME=value" texts for the program git.
    package static func capture(
        folder: String, environment: [String]
    ) -> (state: GitState, patch: [UInt8])? {
        let names = ["GIT_OPTIONAL_LOCKS=", "GIT_TERMINAL_PROMPT=", "LC_ALL="]
        let quiet =
            environment.filter { text in !names.contains { text.hasPrefix($0) } }
            + ["GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"]
        func git(_ folder: String, _ words: [String], limit: Int = 1 << 20) -> [UInt8]? {
            SpawnedProcess.output(
                of: ["git", "-C", folder, "-c", "core.fsmonitor=false", "-c", "core.quotepath=off"]
                    + words, environment: quiet, limit: limit)
        }
        func line(_ folder: String, _ words: String...) -> String {
            let bytes = git(folder, words) ?? []
            return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        }
        let top = line(folder, "rev-parse", "--show-toplevel")
        guard !top.isEmpty else { return nil }
        var state = GitState(commit: line(top, "rev-parse", "--verify", "HEAD"))
        state.branch = line(top, "symbolic-ref", "--short", "-q", "HEAD")
        let remotes = String(decoding: git(top, ["remote"]) ?? [], as: UTF8.self)
            .split(separator: "\n").map(String.init)
        if let remote = remotes.contains("origin") ? "origin" : remotes.first {
            state.remote = withoutCredentials(line(top, "remote", "get-url", remote))
        }
        guard !state.commit.isEmpty else { return (state, []) }
        let diff = [
            "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv",
        ]
        let patch = git(top, diff, limit: diffBytes)
        state.isDirty = patch.map { !$0.isEmpty } ?? true
        if let patch, !patch.isEmpty { state.diffArtifact = diffArtifact }
        return (state, patch ?? [])
    }

    /// A remote's URL without user name, password, query and fragment.
    package static func withoutCredentials(_ url: String) -> String {
        guard let scheme = url.range(of: "://") else {
            // user@host:path of ssh: the user is no secret but says nothing either.
            guard let at = url.firstIndex(of: "@"), !url[..<at].contains("/") else { return url }
            return String(url[url.index(after: at)...])
        }
        let rest = url[scheme.upperBound...].prefix { $0 != "?" && $0 != "#" }
        let authority = rest.prefix { $0 != "/" }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return String(url[..<scheme.upperBound] + host + rest[authority.endIndex...])
    }
}

extension String {
    /// The first place of a text; the standard library alone has no search for one.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

"""Running a host: `/api/admin/overview`, jobs, log, backups, what plugins keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from builtin_plugins.operations.export import Opened, blob_totals
from builtin_plugins.operations.logbook import newest
from builtin_plugins.operations.overview import overview_json
from builtin_plugins.operations.shapes import (
    BACKUPS,
    DATA,
    JOB,
    JOBS,
    JOBS_QUERY,
    LOG,
    LOG_QUERY,
    NEW_BACKUP,
    OVERVIEW,
    TRIAL,
    backup_json,
    job_json,
    outcome_json,
    summary_json,
)
from plugin_sdk import (
    MULTIPART,
    Conflict,
    JobRun,
    NotFound,
    Plugin,
    ProviderUnavailable,
    Request,
    Response,
    Unavailable,
    job,
    route,
)
from plugin_sdk.exports import write_export
from plugin_sdk.management import (
    HostInfo,
    PluginDataReader,
    PluginManagement,
    ProviderManagement,
)
from plugin_sdk.operations import BackupManagement, HostProcess, JobManagement

__all__ = ["Operations", "plugin"]

_MAX_ARCHIVE: Final = 64 * 1024**3


class Operations(Plugin):
    """All routes need the permission ADMIN: they show, or change, what belongs to everybody."""

    def enable(self) -> None:
        services = self.context.services
        self.info: HostInfo = services.get("host.info")
        self.plugins: PluginManagement = services.get("host.plugins")
        self.data: PluginDataReader = services.get("host.data")
        self.jobs_of_all: JobManagement = services.get("host.jobs")
        self.providers_of_all: ProviderManagement = services.get("host.providers")

    @property
    def backups(self) -> BackupManagement:
        """Raises Unavailable in a process that does not serve."""
        try:
            found: BackupManagement = self.context.services.get("host.backups")
        except ProviderUnavailable:
            raise Unavailable("Backups are managed by a host that serves.") from None
        return found

    @route("GET", "/api/admin/overview", permission="ADMIN", returns=OVERVIEW, tags=("Host",))
    def overview(self, request: Request) -> Any:
        """Versions, addresses, sizes, load and the last errors"""
        return overview_json(
            self.info, self.plugins, self.data, self.jobs_of_all, self.context.clock
        )

    @route("POST", "/api/admin/restart", permission="ADMIN", status=202, tags=("Host",))
    def restart(self, request: Request) -> Response:
        """Finish what is under way, stop, and start again"""
        process: HostProcess | None = self.context.services.find("host.process")
        if process is None:
            raise Unavailable(
                "This process cannot start itself again: restart the service that runs it."
            )
        process.restart()
        return Response({"restarting": True}, 202)

    # Jobs

    @route(
        "GET",
        "/api/admin/jobs",
        permission="ADMIN",
        query=JOBS_QUERY,
        returns=JOBS,
        tags=("Jobs",),
    )
    def list_jobs(self, request: Request) -> Any:
        """Jobs of all plugins, newest first"""
        query = request.query
        found = self.jobs_of_all.entries(
            plugin_id=query.get("plugin"), state=query.get("state"), limit=query["limit"]
        )
        return [job_json(each, self.context.clock) for each in found]

    @route(
        "GET",
        "/api/admin/jobs/{id}",
        permission="ADMIN",
        returns=JOB,
        errors=(404,),
        tags=("Jobs",),
    )
    def get_job(self, request: Request) -> Any:
        """One job"""
        return job_json(self.jobs_of_all.entry(request.params["id"]), self.context.clock)

    @route(
        "POST",
        "/api/admin/jobs/{id}/cancel",
        permission="ADMIN",
        returns=JOB,
        errors=(404,),
        tags=("Jobs",),
    )
    def cancel_job(self, request: Request) -> Any:
        """Ask a job to stop; one that is over stays as it is"""
        self.jobs_of_all.cancel(request.params["id"])
        return self.get_job(request)

    # Log

    @route(
        "GET",
        "/api/admin/log",
        permission="ADMIN",
        query=LOG_QUERY,
        returns=LOG,
        tags=("Logs",),
    )
    def log(self, request: Request) -> Any:
        """The newest records that fit, oldest first

        To follow the log, ask again with ``since`` set to the last record's time; records of that
        very millisecond come once more."""
        return newest(self.info, {name: request.query[name] for name in request.query})

    # Backups

    @route("GET", "/api/admin/backups", permission="ADMIN", returns=BACKUPS, tags=("Backups",))
    def list_backups(self, request: Request) -> Any:
        """The archives of this host, newest first, and the last restore"""
        desk, clock = self.backups, self.context.clock
        return {
            "backups": [backup_json(each, clock) for each in desk.entries()],
            "pending": desk.pending(),
            "lastRestore": outcome_json(desk.last_restore(), clock),
        }

    @route(
        "POST",
        "/api/admin/backups",
        permission="ADMIN",
        body=NEW_BACKUP,
        body_required=False,
        returns=JOB,
        status=202,
        errors=(400, 409),
        tags=("Backups",),
    )
    def take_backup(self, request: Request) -> Response:
        """Begin to write everything that the host keeps into a new archive

        The answer is the job that does it."""
        _ = self.backups
        stamp = self.context.clock.iso()[:19].replace(":", "").replace("-", "")
        name = (request.body or {}).get("name") or f"stagebox-{stamp}.zip"
        started = self.context.jobs.start("backup", {"name": name}, key=name)
        return Response(job_json(started, self.context.clock), 202)

    @route(
        "PUT",
        "/api/admin/backups/{name}",
        permission="ADMIN",
        consumes=MULTIPART,
        status=201,
        max_body=_MAX_ARCHIVE,
        errors=(400, 409, 413),
        tags=("Backups",),
    )
    def add_backup(self, request: Request) -> Response:
        """Take over an archive from elsewhere: one file part named file"""
        assert request.form is not None
        upload = request.form.file("file")
        with self.context.paths.temporary() as folder:
            path = folder / "archive"
            with path.open("xb") as file:
                while chunk := upload.file.read(1024 * 1024):
                    file.write(chunk)
            added = self.backups.add(request.params["name"], path)
        return Response.created(backup_json(added, self.context.clock))

    @route(
        "GET",
        "/api/admin/backups/{name}",
        permission="ADMIN",
        errors=(404,),
        tags=("Backups",),
    )
    def get_backup(self, request: Request) -> Response:
        """Download an archive; it holds secrets"""
        name = request.params["name"]
        return Response.file(
            self.backups.path(name), content_type="application/zip", filename=name, attachment=True
        )

    @route(
        "GET",
        "/api/admin/backups/{name}/summary",
        permission="ADMIN",
        errors=(400, 404),
        tags=("Backups",),
    )
    def backup_summary(self, request: Request) -> Any:
        """What an archive says of itself"""
        return summary_json(self.backups.summary(request.params["name"]))

    @route(
        "DELETE",
        "/api/admin/backups/{name}",
        permission="ADMIN",
        status=204,
        errors=(404, 409),
        tags=("Backups",),
    )
    def delete_backup(self, request: Request) -> None:
        """Delete an archive"""
        self.backups.delete(request.params["name"])

    @route(
        "POST",
        "/api/admin/backups/{name}/restore",
        permission="ADMIN",
        returns=JOB,
        status=202,
        errors=(404, 409),
        tags=("Backups",),
    )
    def restore_backup(self, request: Request) -> Response:
        """Check an archive, and put it in place of all data at the next start

        The answer is the job that checks it; when that has succeeded, restart the host."""
        name = request.params["name"]
        self.backups.path(name)
        started = self.context.jobs.start("restore", {"name": name}, key=name)
        return Response(job_json(started, self.context.clock), 202)

    @job("backup")
    def run_backup(self, run: JobRun) -> dict[str, Any]:
        """Writes an archive. One that is there at a further attempt is complete: the job was at
        work when it copied its own row, which is what a restored host finds."""
        name = run.args["name"]
        done = [each for each in self.backups.entries() if each.name == name and run.attempt > 1]
        taken = done[0] if done else self.backups.take(name, _progress(run))
        return backup_json(taken, self.context.clock)

    @job("restore")
    def run_restore(self, run: JobRun) -> None:
        """Checks an archive and notes it for the next start."""
        self.backups.restore(run.args["name"], _progress(run))

    # What plugins keep

    @route(
        "GET",
        "/api/admin/plugins/{id}/data",
        permission="ADMIN",
        returns=DATA,
        errors=(404,),
        tags=("Plugins",),
    )
    def plugin_data(self, request: Request) -> Any:
        """What a plugin keeps, in rows and bytes: what purging it would remove"""
        plugin_id = self._known(request.params["id"])
        tables = self.data.tables(plugin_id)
        try:
            blobs = blob_totals(self.data, plugin_id)
        except ProviderUnavailable:
            blobs = {"count": 0, "bytes": 0}
        return {
            **self.data.sizes(plugin_id),
            "tables": [{"name": name, "rows": rows} for name, rows in tables.items()],
            "blobs": blobs,
        }

    @route(
        "GET",
        "/api/admin/plugins/{id}/export",
        permission="ADMIN",
        errors=(404,),
        tags=("Plugins",),
    )
    def export_plugin(self, request: Request) -> Response:
        """Download everything that a plugin keeps: JSON Lines and its blobs, in a ZIP"""
        plugin_id = self._known(request.params["id"])
        with self.context.paths.temporary() as folder:
            file = folder / "export.zip"
            write_export(self.data, plugin_id, file)
            content = Opened(file)
        return Response.stream(
            content,
            "application/zip",
            length=content.size,
            headers={"Content-Disposition": f'attachment; filename="{plugin_id}.zip"'},
        )

    @route(
        "POST",
        "/api/admin/providers/{type}/{name}/test",
        permission="ADMIN",
        returns=TRIAL,
        errors=(400, 404, 503),
        tags=("Providers",),
    )
    def test_provider(self, request: Request) -> Any:
        """Try a provider"""
        params = request.params
        return {"message": self.providers_of_all.test(params["type"], params["name"])}

    def _known(self, plugin_id: str) -> str:
        """Raises NotFound for an id that is neither installed nor has left data behind."""
        try:
            self.plugins.entry(plugin_id)
        except NotFound:
            if plugin_id == "host" or not self.data.sizes(plugin_id)["bytes"]:
                raise
        return plugin_id


def _progress(run: JobRun) -> Callable[[str, int, int], object]:
    """Tells how far a job is, and ends it when that was asked for."""

    def tell(what: str, done: int, total: int) -> None:
        run.progress(done, total, what)
        if run.cancelled:
            raise Conflict("It was cancelled.")

    return tell


plugin = Operations

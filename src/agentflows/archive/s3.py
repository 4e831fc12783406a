# s3fs ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""An archive on S3, or on whatever speaks its protocol; endpoint and keys come from the usual AWS_* variables.

Two processes never write one object: whatever they add has a name of its own, and a manifest is put on the condition
that there is none of that name. Maintenance is kept apart by a lock object (`agentflows.archive.lock`).
"""

import contextlib
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from fsspec.core import url_to_fs

from agentflows.archive.copies import Copies
from agentflows.archive.files import FileStat
from agentflows.archive.lock import CONDITIONS_UNKNOWN, Lock, code_of
from agentflows.archive.remote import RemoteFiles
from agentflows.errors import AgentflowsError, ArchiveError, SettingsError

_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"})
"""What a store says when the condition of a write does not hold."""
_NO_ANSWER = frozenset({"botocore", "aiobotocore", "aiohttp"})
"""Whose exceptions come through s3fs as they are: no key was found, or nobody answered."""


class S3Files(RemoteFiles):
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, copies: Copies, *, needs_lock: bool = True) -> None:
        super().__init__(url, copies)
        self.lock = Lock(self, needed=needs_lock)

    def _open(self, url: str) -> tuple[Any, str]:
        # A shared instance would keep the endpoint and the keys it was first made with.
        fs, path = url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
        self._bucket, self._prefix, _ = fs.split_path(path)
        return fs, path

    def _no_driver(self, error: Exception) -> AgentflowsError:
        if isinstance(error, ImportError):
            return SettingsError(
                f"An archive on S3 ({self.root}) needs s3fs, which cannot be loaded ({error}). Install it: "
                "pip install 'agentflows[s3]'; or unset AGENTFLOWS_ARCHIVE_URL for a folder in the home."
            )
        return super()._no_driver(error)

    @contextlib.contextmanager
    def explained(self) -> Generator[None]:
        """See `RemoteFiles`."""
        try:
            yield
        except FileExistsError:
            raise
        except Exception as error:
            code = code_of(error)
            if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
                raise
            found = self._told(error, code)
            if found is None:
                raise
            raise found from error

    def _told(self, error: Exception, code: str) -> ArchiveError | None:
        where = self._endpoint()
        told = f"{type(error).__name__}: {error}".split("\n")[0].rstrip(".")
        if code == "NoSuchBucket":
            return ArchiveError(
                f"The bucket {self._bucket!r} of the archive {self.root!r} does not exist at {where}. Make it, or correct "
                "AGENTFLOWS_ARCHIVE_URL or AWS_ENDPOINT_URL."
            )
        if isinstance(error, PermissionError):
            return ArchiveError(
                f"The object store at {where} refuses this key ({code or told}). It must be allowed to list the bucket {self._bucket!r} "
                f"and to get, put and delete objects under {self._prefix or '/'!r}: check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and the rights of the key."
            )
        if "Credentials" in type(error).__name__:
            return ArchiveError(
                f"The archive {self.root!r} needs a key and none was found ({told}). Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
            )
        if type(error).__module__.partition(".")[0] in _NO_ANSWER or isinstance(error, TimeoutError):
            return ArchiveError(
                f"The object store at {where} cannot be reached ({told}). Check the network and AWS_ENDPOINT_URL, then run "
                "the same command again; what was stored stays stored."
            )
        if isinstance(error, OSError):
            return ArchiveError(f"The object store at {where} refused a request for {self.root!r}: {told}.")
        return None

    def _endpoint(self) -> str:
        client: Any = getattr(self._fs, "_s3", None)
        return client.meta.endpoint_url if client else "AWS"

    # -- objects --

    def list(self, folder: str) -> dict[str, FileStat]:
        """See `Files`. A missing folder is empty; a missing bucket is an error."""
        prefix = f"{self._key(folder)}/"
        found: dict[str, FileStat] = {}
        given: dict[str, str] = {}
        while True:
            with self.explained():
                page = self._fs.call_s3(
                    "list_objects_v2", Bucket=self._bucket, Prefix=prefix, Delimiter="/", **given
                )
            for item in page.get("Contents", []):
                if name := item["Key"].removeprefix(prefix):
                    found[name] = FileStat(item["Size"], _naive(item["LastModified"]))
            if not page.get("IsTruncated"):
                return found
            given = {"ContinuationToken": page["NextContinuationToken"]}

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _put(self, path: str, data: bytes) -> None:
        """Manifests on the condition that there is none of that name; all names are unique without it."""
        if not path.endswith(".json"):
            super()._put(path, data)
            return
        try:
            self.put_if(path, data, IfNoneMatch="*")
        except FileExistsError:
            if self.read(path) != data:  # else an earlier try of this very request came through
                raise
        except OSError as error:
            if code_of(error) not in CONDITIONS_UNKNOWN:
                raise
            super()._put(path, data)

    def put_if(self, path: str, data: bytes, **condition: Any) -> str:
        """Write on a condition. Returns the new ETag.

        Raises:
            FileExistsError: the condition does not hold; nothing was written.
        """
        try:
            answer = self._fs.call_s3(
                "put_object", Bucket=self._bucket, Key=self._key(path), Body=data, **condition
            )
        except OSError as error:
            if code_of(error) in _LOST:
                raise FileExistsError(str(error)) from error
            raise
        return answer["ETag"]

    def head(self, path: str) -> dict[str, Any] | None:
        """What the store says of an object; None when there is none."""
        try:
            return self._fs.call_s3("head_object", Bucket=self._bucket, Key=self._key(path))
        except FileNotFoundError:  # of the bucket, if that is missing: then the write says it
            return None

    def maintaining(self) -> contextlib.AbstractContextManager[None]:
        """See `Files`."""
        return self.lock.held()

    def check_maintaining(self) -> None:
        """See `Files`."""
        self.lock.check()


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

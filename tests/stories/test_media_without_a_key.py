"""A library that asks nobody: media and the provider local_files together."""

from __future__ import annotations

from tests import on_disk

tmp_path = on_disk.tmp_path

FILM = """<movie><title>Solaris</title><year>1972</year><plot>A planet thinks.</plot>
<runtime>167</runtime><genre>Drama</genre><uniqueid type="tmdb">593</uniqueid></movie>"""
SHOW = "<tvshow><title>Pilots</title><premiered>2001-02-03</premiered></tvshow>"
EPISODE = """<episodedetails><title>The first one</title><season>1</season><episode>1</episode>
<plot>They start.</plot></episodedetails>"""


def test_what_lies_beside_the_files_is_enough(make_host, scan_media, tmp_path):
    host = make_host()
    made = host.post("/api/v1/settings/providers", json={"name": "local_files"})
    assert made.json()["data"]["configured"] is True
    for path, text in {
        "films/Some File (1999).mkv": "x",
        "films/Some File (1999).nfo": FILM,
        "films/Nothing Known (2001).mkv": "x",
        "shows/Wrong Name (2001)/tvshow.nfo": SHOW,
        "shows/Wrong Name (2001)/Season 1/S01E01.mkv": "x",
        "shows/Wrong Name (2001)/Season 1/S01E01.nfo": EPISODE,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    job = scan_media(host, tmp_path / "films", "movie")
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (1, 1)
    films = {item["media"]["title"]: item for item in host.get("/api/v1/movies").json()["data"]}
    assert set(films) == {"Solaris", "Nothing Known"}
    media = films["Solaris"]["media"]
    assert (media["description"], films["Solaris"]["duration"]) == ("A planet thinks.", 167)
    assert media["metadataProvider"] == "local_files"
    assert {"source": "TMDB", "externalId": "593"} in media["externalIds"]
    scan_media(host, tmp_path / "shows", "tv")
    show = host.get("/api/v1/search?query=pilots").json()["data"]["tvShows"][0]
    (season,) = host.get(f"/api/v1/tvshows/{show['id']}").json()["data"]["seasons"]
    assert season["episodes"][0]["title"] == "The first one"
    assert season["episodes"][0]["overview"] == "They start."

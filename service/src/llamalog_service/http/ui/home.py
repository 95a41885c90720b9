"""`/ui`: where a visit begins."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from llamalog_service.http.ui.pages import render

router = APIRouter()


@router.get("/ui")
async def home(request: Request) -> Response:
    """The first page."""
    return render(request, "home.html")

"""One APIRouter a file, each named `router`; `assay.api.app.ROUTERS` lists them."""

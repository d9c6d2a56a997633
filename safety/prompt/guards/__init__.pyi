from .calibrating import calibrate as calibrate
from .cascade import Band as Band, Cascade as Cascade
from .endpoint import ChatGuard as ChatGuard
from .families import FAMILIES as FAMILIES, Family as Family
from .local import GuardModel as GuardModel, LocalGuard as LocalGuard

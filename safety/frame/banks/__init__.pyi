from .classifier import BankClassifier as BankClassifier
from .comparing import compare_file as compare_file
from .content import Content as Content
from .exchange import read_signals as read_signals, to_csv as to_csv, to_json as to_json
from .files import examine_file as examine_file, sighted_files as sighted_files
from .making import file_hashes as file_hashes, signals_of as signals_of
from .matching import Match as Match, Matcher as Matcher
from .pdq import Hashes as Hashes
from .signal import Card as Card, Kind as Kind, Signal as Signal
from .store import BankStore as BankStore, Entry as Entry
